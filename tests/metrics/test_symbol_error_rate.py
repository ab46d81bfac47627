import pytest

from s2scli.metrics.symbol_error_rate import symbol_error_rate


def test_it_is_edits_over_the_references_symbols() -> None:
    score = symbol_error_rate(["A B  C", "K", "x"], ["A C", "K AH0 T S", "x"])
    assert score.value == pytest.approx(100 * (1 + 3 + 0) / (2 + 4 + 1))
    assert "symbols:spaced" in score.signature


def test_an_empty_reference_counts_as_one_symbol() -> None:
    assert symbol_error_rate(["a b", "c"], ["", "c"]).value == pytest.approx(100 * 2 / 2)
    assert symbol_error_rate(["", ""], ["", ""]).value == 0.0
