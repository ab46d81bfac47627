"""Curves in the terminal, drawn with braille dots, eight to a cell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

MIN_WIDTH = 32
COLUMN_DOTS, ROW_DOTS = 2, 4
# The bit of each dot of a braille cell, by row and column.
BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
AXIS = "dim"
ROWS_PER_TICK, COLUMNS_PER_TICK = 3, 14

Cells = list[list[tuple[str, str]]]  # rows of (character, style)


@dataclass(frozen=True)
class Curve:
    """A series of values.

    Attributes:
        name: the name in the legend.
        xs: increasing positions on the horizontal axis.
        ys: a value at each position; values that are not finite are not drawn.
        style: a Rich style.
        mark: a character to draw at each value, or None to draw a line.
    """

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    style: str = ""
    mark: str | None = None


@dataclass(frozen=True)
class Frame:
    """The plot area: its size in cells and the values at its edges."""

    columns: int
    rows: int
    left: float
    right: float
    bottom: float
    top: float

    def column(self, x: float, dots: int) -> int:
        """Return the column of `x`, with `dots` columns per cell; 0 is the left edge."""
        return _position(x, self.left, self.right, self.columns * dots)

    def row(self, y: float, dots: int) -> int:
        """Return the row of `y`, with `dots` rows per cell; 0 is the top."""
        count = self.rows * dots
        return count - 1 - _position(y, self.bottom, self.top, count)


def draw_curves(
    curves: Sequence[Curve], width: int, height: int, *, ascii_only: bool = False
) -> list[Text]:
    """Draw curves on one pair of axes, with a legend; return no lines if there are no values.

    Args:
        curves: the curves; marks are drawn over lines.
        width: the maximum width of a line in cells, at least `MIN_WIDTH`.
        height: the number of rows of the plot area, at least 3.
        ascii_only: draw lines of `*` instead of braille dots.
    """
    kept = drawable(curves)
    if not kept:
        return []
    xs = [x for curve in kept for x in curve.xs]
    ys = [y for curve in kept for y in curve.ys]
    marks = round_ticks(min(ys), max(ys), max(3, height // ROWS_PER_TICK))
    margin = max(map(len, marks.values()))
    frame = Frame(width - margin - 2, height, min(xs), max(xs), min(ys), max(ys))
    ticks = {frame.row(value, 1): text for value, text in marks.items()}
    cells: Cells = [[(" ", "")] * frame.columns for _ in range(height)]
    for curve in sorted(kept, key=lambda curve: curve.mark is not None):
        draw = _draw_line if curve.mark is None else _draw_marks
        draw(curve, frame, cells, ascii_only)
    return [
        _legend(kept, width, ascii_only),
        *(_framed(line, ticks.get(row), margin) for row, line in enumerate(cells)),
        *_foot(frame, margin),
    ]


def round_ticks(low: float, high: float, count: int) -> dict[float, str]:
    """Return about `count` round values from `low` to `high`, with their labels.

    Neighbouring values differ by 1, 2 or 5 times a power of ten. If fewer than two round values
    can be told apart, the ends are returned instead. Equal ends are one value.
    """
    if low == high:
        return {low: f"{low:.4g}"}
    ends = {value: f"{value:.12g}" for value in (low, high)}
    if not 0 < (high - low) / count < math.inf:
        return ends
    distance = (Fraction(high) - Fraction(low)) / count
    power = math.floor(math.log10(distance))
    if Fraction(10) ** power > distance:  # the logarithm was rounded up
        power -= 1
    for step in (Fraction(factor) * Fraction(10) ** power for factor in (10, 5, 2, 1)):
        first, last = math.ceil(Fraction(low) / step), math.floor(Fraction(high) / step)
        if last - first + 1 >= count:
            break
    values = (float(number * step) for number in range(first, last + 1))
    ticks = {value: f"{value:.12g}" for value in values}
    return ticks if len(set(ticks.values())) > 1 else ends


def drawable(curves: Sequence[Curve]) -> list[Curve]:
    """Return the curves with their finite values only; a curve without any is left out."""
    return [finite for curve in curves if (finite := _finite(curve)).xs]


def _finite(curve: Curve) -> Curve:
    pairs = zip(curve.xs, curve.ys, strict=True)
    kept = [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]
    xs, ys = tuple(x for x, _ in kept), tuple(y for _, y in kept)
    return Curve(curve.name, xs, ys, curve.style, curve.mark)


def _position(value: float, low: float, high: float, count: int) -> int:
    """Return the nearest of `count` equal steps from `low` to `high`."""
    return round((value - low) / (high - low) * (count - 1)) if high > low else 0


def _draw_marks(curve: Curve, frame: Frame, cells: Cells, ascii_only: bool) -> None:
    for x, y in zip(curve.xs, curve.ys, strict=True):
        cells[frame.row(y, 1)][frame.column(x, 1)] = (curve.mark or "", curve.style)


def _draw_line(curve: Curve, frame: Frame, cells: Cells, ascii_only: bool) -> None:
    dots = _line_dots(curve, frame)
    blocks = dots.reshape(frame.rows, ROW_DOTS, frame.columns, COLUMN_DOTS)
    codes = (blocks * BRAILLE[None, :, None, :]).sum(axis=(1, 3))  # [rows, columns]
    for row, column in np.argwhere(codes).tolist():
        dot = "*" if ascii_only else chr(0x2800 + int(codes[row, column]))
        cells[row][column] = (dot, curve.style)


def _line_dots(curve: Curve, frame: Frame) -> NDArray[np.bool_]:
    """Return the dots of a line, [rows x 4, columns x 2].

    Values in the same column are averaged; columns without values are interpolated.
    """
    dots = np.zeros((frame.rows * ROW_DOTS, frame.columns * COLUMN_DOTS), dtype=np.bool_)
    columns = np.array([frame.column(x, COLUMN_DOTS) for x in curve.xs])
    known = np.unique(columns)
    means = [np.mean(np.array(curve.ys)[columns == column]) for column in known]
    filled = np.arange(known[0], known[-1] + 1)
    rows = [frame.row(float(y), ROW_DOTS) for y in np.interp(filled, known, means)]
    for column, before, row in zip(filled, [rows[0], *rows], rows, strict=False):
        # in each column, the line continues from its row in the column before
        step = 0 if before == row else (1 if row > before else -1)
        first, last = sorted((before + step, row))
        dots[first : last + 1, column] = True
    return dots


def _legend(curves: Sequence[Curve], width: int, ascii_only: bool) -> Text:
    line = "*" if ascii_only else "⠤⠤"
    parts = ((f"{curve.mark or line} {curve.name}  ", curve.style) for curve in curves)
    legend = Text.assemble(*parts)
    legend.truncate(width, overflow="ellipsis")
    return legend


def _framed(line: list[tuple[str, str]], tick: str | None, margin: int) -> Text:
    edge = f"{tick or '':>{margin}} {'│' if tick is None else '┤'}"
    return Text.assemble((edge, AXIS), *line)


def _foot(frame: Frame, margin: int) -> list[Text]:
    """Return the horizontal axis, with a label under each round value that has room for one."""
    line, labels = ["─"] * frame.columns, " " * frame.columns
    free = 0  # the first column that a label may begin in
    count = max(2, frame.columns // COLUMNS_PER_TICK)
    for value, text in round_ticks(frame.left, frame.right, count).items():
        column = frame.column(value, 1)
        start = min(max(0, column - len(text) // 2), max(0, frame.columns - len(text)))
        if start < free:
            continue
        line[column] = "┬"
        labels = f"{labels[:start]}{text}{labels[start + len(text) :]}"
        free = start + len(text) + 2
    axis = " " * (margin + 1) + "└" + "".join(line)
    return [Text(axis, AXIS), Text(" " * (margin + 2) + labels[: frame.columns], AXIS)]
