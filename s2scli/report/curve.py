"""Curves in the terminal, drawn with braille dots, eight to a cell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.text import Text

MIN_WIDTH = 32
COLUMN_DOTS, ROW_DOTS = 2, 4
# The bit of each dot of a braille cell, by row and column.
BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
AXIS = "dim"

Cells = list[list[tuple[str, str]]]  # rows of (character, style)


@dataclass(frozen=True)
class Curve:
    """A series of values.

    Attributes:
        name: for the legend.
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
    """Draw curves over one pair of axes, with a legend; return no lines without values.

    Args:
        curves: what to draw; marks are drawn over lines.
        width: the widest line in cells, at least `MIN_WIDTH`.
        height: rows of the plot area, at least 3.
        ascii_only: draw lines of `*` instead of braille dots.
    """
    kept = [finite for curve in curves if (finite := _finite(curve)).xs]
    if not kept:
        return []
    xs = [x for curve in kept for x in curve.xs]
    ys = [y for curve in kept for y in curve.ys]
    ticks = _ticks(min(ys), max(ys), height)
    margin = max(map(len, ticks.values()))
    frame = Frame(width - margin - 2, height, min(xs), max(xs), min(ys), max(ys))
    cells: Cells = [[(" ", "")] * frame.columns for _ in range(height)]
    for curve in sorted(kept, key=lambda curve: curve.mark is not None):
        draw = _draw_line if curve.mark is None else _draw_marks
        draw(curve, frame, cells, ascii_only)
    return [
        _legend(kept, width, ascii_only),
        *(_framed(line, ticks.get(row), margin) for row, line in enumerate(cells)),
        *_foot(frame, margin),
    ]


def _ticks(bottom: float, top: float, height: int) -> dict[int, str]:
    """Return the labels of the vertical axis by row: both ends and the middle."""
    if bottom == top:
        return {height - 1: f"{bottom:.4g}"}
    values = {0: top, (height - 1) // 2: (top + bottom) / 2, height - 1: bottom}
    return {row: f"{value:.4g}" for row, value in values.items()}


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

    Values in the same column are averaged; between columns the line is straight.
    """
    dots = np.zeros((frame.rows * ROW_DOTS, frame.columns * COLUMN_DOTS), dtype=np.bool_)
    columns = np.array([frame.column(x, COLUMN_DOTS) for x in curve.xs])
    known = np.unique(columns)
    means = [np.mean(np.array(curve.ys)[columns == column]) for column in known]
    filled = np.arange(known[0], known[-1] + 1)
    rows = [frame.row(float(y), ROW_DOTS) for y in np.interp(filled, known, means)]
    for column, before, row in zip(filled, [rows[0], *rows], rows, strict=False):
        # inside this column the line continues from the row of the last one
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
    """Return the horizontal axis, labelled at both ends."""
    left, right = f"{frame.left:g}", f"{frame.right:g}"
    room = frame.columns - cell_len(left)
    axis = " " * (margin + 1) + "└" + "─" * frame.columns
    return [Text(axis, AXIS), Text(" " * (margin + 2) + f"{left}{right:>{room}}", AXIS)]
