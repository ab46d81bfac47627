import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from s2scli.report.curve import MIN_WIDTH, Curve, draw_curves, round_ticks

VALUES = st.floats(-1e9, 1e9) | st.sampled_from([math.nan, math.inf])
POINTS = st.lists(VALUES, max_size=50)


def frame_of(lines: list[Text]) -> list[str]:
    """The rows inside the axes."""
    return [
        line.plain[line.plain.index(line.plain.lstrip("-.0123456789e+ ")[0]) + 1 :]
        for line in lines[1:-2]
    ]


@given(st.lists(POINTS, max_size=3), st.integers(MIN_WIDTH, 120), st.integers(3, 12), st.booleans())
def test_no_line_is_wider_than_asked(
    series: list[list[float]], width: int, height: int, ascii_only: bool
) -> None:
    curves = [
        Curve(
            f"curve {index}",
            tuple(map(float, range(len(ys)))),
            tuple(ys),
            mark="o" if index else None,
        )
        for index, ys in enumerate(series)
    ]
    lines = draw_curves(curves, width, height, ascii_only=ascii_only)
    assert all(cell_len(line.plain) <= width for line in lines)
    assert len(lines) in (0, height + 3)


def test_there_is_nothing_to_draw_without_values() -> None:
    assert draw_curves([Curve("loss", (1.0,), (math.nan,))], 80, 5) == []


def test_a_rising_line_rises() -> None:
    xs = tuple(map(float, range(500)))
    rows = frame_of(draw_curves([Curve("up", xs, xs)], 60, 8, ascii_only=True))
    tops = [next(r for r, row in enumerate(rows) if row[c] == "*") for c in range(len(rows[0]))]
    assert tops == sorted(tops, reverse=True)
    assert (tops[0], tops[-1]) == (7, 0)


def test_a_line_has_no_gap() -> None:
    xs, ys = (0.0, 1.0, 2.0, 50.0), (0.0, 9.0, 1.0, 5.0)
    rows = frame_of(draw_curves([Curve("jump", xs, ys)], 60, 8))
    assert all(any(row[c] != " " for row in rows) for c in range(len(rows[0])))
    assert all(row.strip() for row in rows)


def test_braille_and_ascii_fill_the_same_cells() -> None:
    curve = Curve("wave", tuple(map(float, range(100))), tuple(math.sin(x / 9) for x in range(100)))
    dots = frame_of(draw_curves([curve], 60, 8))
    stars = frame_of(draw_curves([curve], 60, 8, ascii_only=True))
    assert [[c != " " for c in row] for row in dots] == [[c == "*" for c in row] for row in stars]


def test_marks_stand_at_their_values_over_the_line() -> None:
    line = Curve("loss", (0.0, 10.0), (0.0, 10.0))
    marks = Curve("best", (0.0, 10.0), (10.0, 0.0), mark="◆")
    rows = frame_of(draw_curves([marks, line], 60, 8))
    assert rows[0][0] == rows[-1][-1] == "◆"
    assert sum(row.count("◆") for row in rows) == 2


def test_the_axes_have_round_numbers_in_equal_steps() -> None:
    lines = [line.plain for line in draw_curves([Curve("loss", (5.0, 95.0), (1.4, 2.6))], 40, 5)]
    assert [line.split("┤")[0].strip() for line in lines if "┤" in line] == ["2.5", "2", "1.5"]
    assert lines[-1].split() == ["20", "40", "60", "80"]
    columns = [index for index, character in enumerate(lines[-2]) if character == "┬"]
    for column, text in zip(columns, lines[-1].split(), strict=True):
        assert lines[-1][column - 1 : column + 1] == text
    steps = [after - before for before, after in itertools.pairwise(columns)]
    assert max(steps) - min(steps) <= 1


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12), st.integers(2, 10))
@example(3e-262, 999999999999.998, 10)  # a logarithm that is rounded up to a whole number
def test_ticks_are_round_equally_far_apart_and_inside(a: float, b: float, count: int) -> None:
    low, high = sorted((a, b))
    ticks = round_ticks(low, high, count)
    values = list(ticks)
    assert all(low <= value <= high for value in values) and values == sorted(values)
    if high - low > 1e-6 * max(abs(low), abs(high)):
        assert count <= len(values) <= 2.5 * count + 2
        step = (values[-1] - values[0]) / (len(values) - 1)
        mantissa = step / 10 ** math.floor(math.log10(step * 1.001))
        assert min(abs(mantissa - factor) for factor in (1, 2, 5)) < 1e-3


@pytest.mark.parametrize("ends", [(0.0, 5e-324), (-1.7e308, 1.7e308), (1e9, 1e9 + 2e-7)])
def test_ends_without_round_numbers_between_them_are_the_ticks(ends: tuple[float, float]) -> None:
    assert tuple(round_ticks(*ends, 3)) == ends


@pytest.mark.parametrize("value", [0.0, -3.25])
def test_a_single_value_has_a_single_label(value: float) -> None:
    lines = [line.plain for line in draw_curves([Curve("one", (1.0,), (value,))], 40, 5)]
    assert sum("┤" in line for line in lines) == 1
