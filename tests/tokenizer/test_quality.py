import pytest

from s2scli.tokenizer.quality import measure_quality
from tests.tokenizer.samples import learn


def test_quality_is_what_its_formulas_say() -> None:
    quality = measure_quality(learn("char"), ["the cat", "a 猫"])
    assert quality.kind == "char"
    assert quality.pieces_per_word == pytest.approx(10 / 4)
    assert quality.pieces_per_character == pytest.approx(1)
    assert quality.unknown_rate == pytest.approx(1 / 10)
    assert not quality.byte_fallback


def test_no_text_divides_by_nothing() -> None:
    assert measure_quality(learn(), []).unknown_rate == 0
