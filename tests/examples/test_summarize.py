"""The example of summaries: its texts and baselines, and what its script asks of s2s."""

import gzip
import subprocess
from pathlib import Path

import pytest

from s2scli.config import recipe_names
from tests.examples.scripts import EXAMPLES, asked_of_s2s, load_script

EXAMPLE = EXAMPLES / "summarize"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    news = "".join(f"記事 {n} です 。 次 。\t見出し {n}\n" for n in range(20))
    abstracts = "We test. It works.\tTests work.\nWe test. It works.\tA test.\n"
    for name, text in (("jawikinews.short", news), ("scitldr.train", abstracts)):
        (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("dev", "test", "dev.multi", "test.multi"):
        (folder / f"scitldr.{name}.tsv.gz").write_bytes(gzip.compress(abstracts.encode()))
    return folder


def commands(data: Path, mode: str) -> list[list[str]]:
    """What the script asks for, word by word."""
    return asked_of_s2s(
        EXAMPLE / "run.sh", data, mode, data.parent / "work", "7", folder=data.parent
    )


def test_baselines_are_scored_without_a_model(data: Path) -> None:
    found = commands(data, "baselines")
    assert len(found) == 5 and all(words[0] == "evaluate" for words in found)
    assert all({"--rouge", "--multi-reference", "--hypothesis"} <= set(words) for words in found)
    text = data.parent / "work" / "text"
    assert (text / "scitldr.all.baseline").read_text() == "We test.\nWe test.\n"
    assert (text / "headlines.source").read_text().startswith("記事0です。次。\n")


def test_headlines_have_a_split_of_their_own(data: Path) -> None:
    prepare, baseline, train, evaluate = commands(data, "jawikinews")
    parts = [Path(word).read_text().splitlines() for word in prepare if word.endswith(".tsv")]
    assert [len(part) for part in parts] == [16, 2, 2]
    assert len(set().union(*parts)) == 20
    assert train[0] == "train" and "summarize" in set(train) & set(recipe_names())
    assert train[train.index("--max-minutes") + 1] == "7"
    same = ("--source", "--reference")
    assert [[words[words.index(flag) + 1] for flag in same] for words in (baseline, evaluate)] == [
        [str(data.parent / f"work/text/headlines.test.{side}") for side in ("source", "target")]
    ] * 2


def test_summaries_are_scored_against_all_references(data: Path) -> None:
    pytest.importorskip("rouge_score", reason="rouge-score is not installed")
    prepare, _, sentences, first, train, evaluate = commands(data, "scitldr")
    assert prepare[0] == "prepare" and "--test" in prepare and train[0] == "train"
    work = data.parent / "work"
    assert sentences[0] == "prepare" and str(work / "text" / "sentences.train.tsv") in sentences
    copied = (work / "text" / "sentences.train.tsv").read_text()
    assert copied == "We test. It works.\tWe test.\n" * 2
    assert "summarize" in first and train[train.index("--init-from") + 1] == str(
        work / "sentences" / "model"
    )
    assert [words[words.index("--max-minutes") + 1] for words in (first, train)] == ["3", "3"]
    assert evaluate[0] == "evaluate" and "--multi-reference" in evaluate


def test_another_word_is_refused(data: Path) -> None:
    script = ["sh", str(EXAMPLE / "run.sh"), str(data), "everything", str(data.parent / "work")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "found everything" in done.stderr


def test_the_baselines_are_what_they_say() -> None:
    script = load_script(EXAMPLE / "first_words.py")
    assert script.summarize("Dr. Who ran. He hid.", "sentence", 0) == "Dr. Who ran."
    assert script.summarize("地震があった。", "characters", 3) == "地震が"
    assert script.summarize("", "sentence", 0) == ""
