"""How many numbers, URLs, e-mail addresses and tags come out as they went in."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.translation.protecting import PROTECTED
from tests.bench.showing import show

WORDS = ("one", "two", "three", "four", "five", "six", "seven")
KINDS: dict[str, Callable[[random.Random], str]] = {
    "number": lambda draw: draw.choice(["7", "1,024", "3.14", "10:30", "2026-11-28", "99"]),
    "URL": lambda draw: f"https://example.org/{draw.randrange(1000)}/a?b={draw.randrange(9)}",
    "mail": lambda draw: f"user.{draw.randrange(100)}@mail.example.org",
    "tag": lambda draw: draw.choice(["<b>", "</b>", '<a href="x.html">', "<br/>"]),
}
LINES = 200


def lines() -> list[str]:
    """Lines of words with one to three protected texts, the same at every call."""
    draw = random.Random(1)
    found = []
    for _ in range(LINES):
        words = draw.choices(WORDS, k=draw.randint(3, 6))
        for _ in range(draw.randint(1, 3)):
            kind = draw.choice(list(KINDS))
            words.insert(draw.randint(0, len(words)), KINDS[kind](draw))
        found.append(" ".join(words))
    return found


def kept(sources: list[str], outputs: list[str]) -> dict[str, float]:
    """The share of the protected texts of each kind that their outputs hold, in percent."""
    have, all_of = Counter[str](), Counter[str]()
    for source, output in zip(sources, outputs, strict=True):
        written = Counter(match.group() for match in PROTECTED.finditer(output))
        for match in PROTECTED.finditer(source):
            kind = str(match.lastgroup)
            all_of[kind] += 1
            have[kind] += written[match.group()] > 0
            written[match.group()] -= 1
    return {kind: round(100 * have[kind] / all_of[kind], 2) for kind in sorted(all_of)}


def invoke(*words: str, given: str | None = None) -> str:
    result = CliRunner().invoke(app, [*words], input=given)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A small model that copies words, letters and numbers, after a short training."""
    draw = random.Random(2)
    texts = [" ".join([*draw.choices(WORDS, k=3), draw.choice("XYZQWK")]) for _ in range(900)]
    texts = [f"{text} {draw.randrange(100)}.{draw.randrange(100)}" for text in texts]
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    where = ["-q", "-w", str(tmp_path / "workspace")]
    invoke("prepare", str(tmp_path / "texts.txt"), *where)
    invoke("train-tokenizer", "--kind", "bpe", "--vocab-size", "80", *where)
    invoke("train", "--recipe", "tiny", "--max-steps", "200", "--device", "cpu", *where)
    return tmp_path / "workspace"


@pytest.mark.bench
def test_how_many_protected_texts_are_kept(workspace: Path) -> None:
    sources, shares = lines(), {}
    for name, flags in (("without", []), ("with", ["--protect"])):
        command = ["translate", "-q", "-w", str(workspace), *flags]
        outputs = invoke(*command, given="\n".join(sources)).splitlines()
        shares[f"{name} --protect"] = kept(sources, outputs)
    show({"protected texts kept, in percent": shares})
    assert set(shares["with --protect"].values()) == {100.0}
