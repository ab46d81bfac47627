import pytest

from s2scli.report.bars import bar


@pytest.mark.parametrize(
    ("count", "most", "length"), [(0, 9, 0), (1, 1000, 1), (9, 9, 8), (5, 10, 4), (0, 0, 0)]
)
def test_a_bar_is_rounded_up(count: int, most: int, length: int) -> None:
    assert bar(count, most, 8) == "█" * length
