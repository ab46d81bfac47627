import pytest

from s2scli.metrics.wer import wer
from tests.metrics.test_edit_rate import OUTPUTS, REFERENCES, numbered


def test_wer_is_word_edits_over_words() -> None:
    score = wer(["a b  d", "x"], ["a c d e", "y z"])
    assert score.value == pytest.approx(100 * (2 + 2) / (4 + 2))
    assert score.name == "WER"


def test_case_and_punctuation_count() -> None:
    assert wer(["Yes."], ["yes"]).value == 100


def test_an_empty_reference_counts_as_one_word() -> None:
    assert wer(["a b"], [""]).value == 200


def test_it_equals_jiwer() -> None:
    jiwer = pytest.importorskip("jiwer")
    outputs, references = [*OUTPUTS, *numbered(30)], [*REFERENCES, *reversed(numbered(30))]
    assert wer(outputs, references).value == pytest.approx(100 * jiwer.wer(references, outputs))
