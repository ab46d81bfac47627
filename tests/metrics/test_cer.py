import pytest

from s2scli.metrics.cer import cer
from tests.metrics.test_edit_rate import OUTPUTS, REFERENCES, numbered


def test_cer_is_character_edits_over_characters_with_spaces() -> None:
    assert cer(["ab c"], ["abc"]).value == pytest.approx(100 / 3)
    assert cer(["", "xy"], ["a b", "xy"]).value == pytest.approx(100 * 3 / 5)
    assert cer([""], ["a"]).name == "CER"


def test_outer_white_space_is_ignored() -> None:
    assert cer([" abc "], ["abd"]).value == pytest.approx(100 / 3)


def test_an_empty_reference_counts_as_one_character() -> None:
    assert cer(["", "c"], ["", "c"]).value == 0
    assert cer(["ab"], [""]).value == 200


def test_it_equals_jiwer() -> None:
    jiwer = pytest.importorskip("jiwer")
    outputs, references = [*OUTPUTS, *numbered(30)], [*REFERENCES, *reversed(numbered(30))]
    assert cer(outputs, references).value == pytest.approx(100 * jiwer.cer(references, outputs))
