import random
from pathlib import Path

import pytest

from s2scli.data.cleaning import language
from s2scli.data.settings import PrepareSettings
from s2scli.errors import CorpusError
from s2scli.pipeline import suggesting as module
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.suggesting import Suggestion, _rounded_up, suggest
from s2scli.report.console import Talk


def suggested(folder: Path, rows: list[tuple[str, str]]) -> Suggestion:
    path = folder / "corpus.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in rows), "utf-8")
    return suggest(Inputs((path,)), PrepareSettings(), Talk(quiet=True))


def clean(count: int) -> list[tuple[str, str]]:
    words = random.Random(1)
    texts = [
        " ".join(words.choices(["dog", "park", "runs", "the"], k=n % 7 + 4)) for n in range(count)
    ]
    return [(text, f"{text} x") for text in texts]


def test_a_clean_corpus_needs_no_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "is_installed", lambda: False)
    found = suggested(tmp_path, clean(400))
    assert (found.read, found.sample, found.flags) == (400, 400, "")
    assert "py3langid is not installed" in found.skipped[0]


def test_what_stands_out_is_proposed_with_a_limit_that_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language, "is_installed", lambda: False)
    dirty = [("same text", "same text"), ("a &lt; b", "a &lt; b c"), ("a\x07b", "a b")]
    dirty += [("dog", "dog " * 30), ("the dog", "собака бежит")]
    found = suggested(tmp_path, clean(1000) + dirty)
    for flag in ("--unescape-html", "--remove-controls", "--drop-same", "--max-other-script 0.2"):
        assert flag in found.flags
    by_rule = {one.rule: one for one in found.proposals}
    ratio = by_rule["length_ratio"]
    assert ratio.limit is not None and 2 <= ratio.limit < 30 and ratio.rows == 1
    assert ratio.flags == f"--max-length-ratio {ratio.limit:g}"
    assert sum(one.rows for one in ratio.bins) == found.sample
    assert ratio.percentiles[0] < ratio.percentiles[-1]
    assert not by_rule["repeated_characters"].flags


def test_languages_are_proposed_where_nearly_all_texts_are_of_one(tmp_path: Path) -> None:
    german = ("The dog runs through the park.", "Der Hund rennt heute durch den großen Park.")
    french = ("The dog runs through the park.", "Le chien court dans le grand parc de la ville.")
    found = suggested(tmp_path, [german] * 19 + [french])
    assert found.flags == "--target-language de"


def test_a_large_corpus_is_sampled_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "is_installed", lambda: False)
    monkeypatch.setattr(module, "SAMPLE_ROWS", 100)
    rows = [(f"{number} a", f"{number} b") for number in range(1050)]
    found = suggested(tmp_path, rows)
    assert found.read == 1050 and 50 <= found.sample <= 100


@pytest.mark.parametrize(
    ("value", "rounded"), [(0, 0), (0.123, 0.13), (3.2, 3.2), (3.21, 3.3), (128, 130), (1999, 2000)]
)
def test_limits_are_rounded_up_to_two_digits(value: float, rounded: float) -> None:
    assert _rounded_up(value) == rounded


def test_a_corpus_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no pair to look at"):
        suggested(tmp_path, [("", "")])
