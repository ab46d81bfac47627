"""The curves of a training run as one HTML page: values on hover, no scripts, no external files."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from s2scli.report.curve import Curve, drawable, round_ticks
from s2scli.report.markup import escaped
from s2scli.report.page import EMPTY, Part, page
from s2scli.report.tables import table_html

# Lengths in pixels of the picture, which is scaled to the width of the page.
WIDTH, HEIGHT = 960, 300
LEFT, TOP, BOTTOM, RIGHT = 72, 12, 44, 20
COLOURS = 4
STYLE = """
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; }
.note { margin: .4rem 0 0; max-width: 60rem; }
.legend span { margin-right: 1.5rem; }
svg { display: block; width: 100%; height: auto; font-size: 13px; }
svg text { fill: var(--ink); }
.grid { stroke: var(--line); stroke-width: .7; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.cells { margin-top: 1.5rem; }
"""


@dataclass(frozen=True)
class Plot:
    """Curves on one pair of axes.

    Attributes:
        title: what the vertical axis measures.
        curves: the curves; later ones are drawn over earlier ones.
    """

    title: str
    curves: Sequence[Curve]


def curves_html(title: str, part: Part) -> str:
    """Return curves as a page of their own, with a title."""
    return page(title, Part(part.style, f"<h1>{escaped(title)}</h1>\n{part.body}"))


def curves_part(plots: Sequence[Plot], table: Table, note: str = "", more: Part = EMPTY) -> Part:
    """Return the note, the plots and a table.

    Args:
        plots: the plots; one without a finite value is left out.
        table: the table below them, made by `make_table`.
        note: a sentence above them.
        more: what to add at the end.
    """
    drawn = [Plot(plot.title, kept) for plot in plots if (kept := drawable(plot.curves))]
    told = f'<p class="note">{escaped(note)}</p>\n' if note else ""
    sections = "\n".join(map(_section, drawn))
    return Part(STYLE + more.style, f"{told}{sections}\n{table_html(table)}\n{more.body}")


def _section(plot: Plot) -> str:
    """Return a plot with its legend."""
    legend = "".join(
        f'<span style="color: {_colour(number)}">{curve.mark or "━"} {escaped(curve.name)}</span>'
        for number, curve in enumerate(plot.curves)
    )
    return (
        f'<h3>{escaped(plot.title)}</h3>\n<div class="legend">{legend}</div>\n'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escaped(plot.title)}">\n'
        f"{_picture(plot)}\n</svg>"
    )


def _picture(plot: Plot) -> str:
    xs = [x for curve in plot.curves for x in curve.xs]
    ys = [y for curve in plot.curves for y in curve.ys]
    across, up = (min(xs), max(xs)), (min(ys), max(ys))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value, label in round_ticks(*up, 4).items():
        y = _place(value, up, bottom, TOP)
        parts += [_grid_line(LEFT, y, right, y), _text(LEFT - 8, y + 4, label, "end")]
    for value, label in round_ticks(*across, 7).items():
        x = _place(value, across, LEFT, right)
        parts += [_grid_line(x, TOP, x, bottom), _text(x, bottom + 18, label, "middle")]
    parts.append(_text((LEFT + right) / 2, HEIGHT - 6, "step", "middle"))
    for number, curve in enumerate(plot.curves):
        points = [
            (_place(x, across, LEFT, right), _place(y, up, bottom, TOP))
            for x, y in zip(curve.xs, curve.ys, strict=True)
        ]
        parts += _marks(curve, points, number) if curve.mark else [_line(points, number)]
    return "\n".join(parts)


def _line(points: Sequence[tuple[float, float]], number: int) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="line" style="stroke: {_colour(number)}" points="{joined}"/>'


def _marks(curve: Curve, points: Sequence[tuple[float, float]], number: int) -> list[str]:
    return [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" style="fill: {_colour(number)}">'
        f"<title>{escaped(curve.name)} at step {step:g}: {value:.4g}</title></circle>"
        for (x, y), step, value in zip(points, curve.xs, curve.ys, strict=True)
    ]


def _place(value: float, ends: tuple[float, float], start: float, stop: float) -> float:
    """Map `value` from the range `ends` to the range from `start` to `stop`, linearly."""
    low, high = ends
    return start + (stop - start) * ((value - low) / (high - low) if high > low else 0.5)


def _grid_line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escaped(text)}</text>'


def _colour(number: int) -> str:
    return f"var(--c{number % COLOURS})"
