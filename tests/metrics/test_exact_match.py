import pytest

from s2scli.metrics.exact_match import exact_match


def test_whole_lines_count_and_outer_spaces_do_not() -> None:
    score = exact_match(["a b", " c ", "D"], ["a b", "c", "d"])
    assert score.value == pytest.approx(200 / 3)
    assert "case:mixed|space:strip" in score.signature


def test_lines_must_belong_together() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        exact_match(["a"], ["a", "b"])
