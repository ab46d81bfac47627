"""An attention map for the terminal: a heatmap, the words it links, and four numbers.

No line is wider than the given width in terminal cells. A map that is too wide is divided into
pages, one below the other, that repeat the row labels.
"""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp

from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from rich.text import Text

from s2scli.report.attention import (
    AttentionMap,
    AttentionSummary,
    Link,
    link_words,
    summarize,
)
from s2scli.report.cells import cut, isolated, label, pad, stacked
from s2scli.report.colours import SHADES, ColourSystem, ink, shade, weight_colour
from s2scli.report.console import make_console
from s2scli.report.pieces import piece_label, sign_legend

MIN_WIDTH = 32
MAX_HEADER_HEIGHT = 14
MAX_BEST_WIDTH = 14
MAX_COPIED_WIDTH = 16
COPIED = "p_copy copied"
TALL = 40
KEY_STEPS = 14
DIM = Style(dim=True)


@dataclass(frozen=True)
class Grid:
    """A map and its layout.

    Attributes:
        attention: the map.
        system: the colours to use.
        half: whether a line shows two rows, as half blocks.
        width: the maximum width of a line.
        label_width: the width of the label of a line, in cells.
        cell_width: the width of a source piece, in cells.
        light: whether the background is light.
    """

    attention: AttentionMap
    system: ColourSystem
    half: bool
    width: int
    label_width: int
    cell_width: int
    light: bool = False

    @property
    def capacity(self) -> int:
        """The number of source pieces that fit on a line."""
        return (self.width - self.label_width - 1) // self.cell_width


def render_attention(
    attention: AttentionMap,
    width: int,
    system: ColourSystem,
    *,
    half: bool | None = None,
    threshold: float,
    light: bool = False,
) -> str:
    """Return the whole view as text: the sentence pair, heatmap, alignment and summary.

    Args:
        attention: the map to show.
        width: the maximum width of a line in cells, at least `MIN_WIDTH`.
        system: the colours to use; None for plain text, with characters as shades.
        half: show two target pieces on each line; None does so for large maps in colour.
        threshold: the smallest weight that links two words.
        light: whether the background is light.
    """
    lines = [
        *sentence_lines(attention, width),
        Text(),
        *heatmap_lines(attention, width, system, half=half, light=light),
        Text(),
        *key_lines(system, width, attention, light=light),
        Text(),
        *alignment_lines(link_words(attention, threshold), width, system),
        Text(),
        *_wrapped(caption(attention), width, Style()),
        *_wrapped(attention.note, width, DIM),
    ]
    return render_lines(lines, system)


def render_lines(lines: Sequence[Text], system: ColourSystem) -> str:
    """Return lines as text, with escape codes for colours unless `system` is None."""
    console = make_console(
        file=(written := io.StringIO()),
        width=max(1, *(line.cell_len for line in lines)),
        color_system=system,
        force_terminal=system is not None,
        no_color=system is None,
    )
    console.print(Text("\n").join(lines), no_wrap=True, overflow="ignore", crop=False)
    return "".join(line.rstrip(" ") + "\n" for line in written.getvalue().split("\n")[:-1])


def sentence_lines(attention: AttentionMap, width: int) -> list[Text]:
    """Return a line for the source and one for the target."""
    source, target = (isolated(cut(label(text), width)) for text in attention.texts)
    return [Text(source, DIM), Text(target, Style(bold=True))]


def heatmap_lines(
    attention: AttentionMap,
    width: int,
    system: ColourSystem,
    *,
    half: bool | None = None,
    light: bool = False,
) -> list[Text]:
    """Return the map in pages of columns, with numbers about each row after the last page."""
    grid = replace(_choose_grid(attention, width, system, half), light=light)
    pages = [_page(grid, columns) for columns in _pages(len(attention.source_pieces), grid)]
    if not grid.half:
        for block in filter(None, (_facts(grid), _copied(grid))):
            if pages[-1][-1].cell_len + 2 + block[-1].cell_len <= width:
                pages[-1] = _side_by_side(pages[-1], block)
            else:
                pages.append(_side_by_side(_labels(grid), block))
    lines = [line for page in pages for line in (Text(), *page)]
    return lines[1:]


def key_lines(
    system: ColourSystem, width: int, attention: AttentionMap, *, light: bool = False
) -> list[Text]:
    """Return the key of the map and the meaning of its signs, on one line if they fit."""
    key = key_line(system, light=light)
    signs = sign_legend((*attention.source_pieces, *attention.target_pieces))
    if key.cell_len + 3 + cell_len(signs) <= width:
        return [Text.assemble(key, f"   {signs}" if signs else "")]
    return [key, *_wrapped(signs, width, Style())]


def key_line(system: ColourSystem, *, light: bool = False) -> Text:
    """Return the key of the map: its colours or shades from 0 to 1."""
    steps = 5 if system in (None, "standard") else KEY_STEPS
    cells = (_cell(step / (steps - 1), system, 2, light=light) for step in range(steps))
    return Text.assemble(("0 ", DIM), *cells, (" 1", DIM))


def alignment_lines(links: Sequence[Link], width: int, system: ColourSystem) -> list[Text]:
    """Return a line for each target word, with arrows from its source words.

    The arrow and its colour show the weight. Source words that do not fit go to the next line.
    """
    words = [piece_label(link.target.text) for link in links]
    word_width = min(max(map(cell_len, words)), max(8, width // 3))
    lines: list[Text] = []
    for word, link in zip(words, links, strict=True):
        line = Text(pad(word, word_width))
        if not link.sources:
            line.append(" ·", DIM)
        for source, weight in link.sources:
            room = width - word_width - 9  # for the arrow and the weight
            text = f" {_arrow(weight)} {isolated(cut(piece_label(source.text), room))} {weight:.2f}"
            if line.cell_len + cell_len(text) > width:
                lines.append(line)
                line = Text(" " * word_width)
            line.append(text, ink(weight, system))
        lines.append(line)
    return lines


def caption(attention: AttentionMap) -> str:
    """Return the name of the map and its four numbers."""
    numbers = summary_text(summarize(attention), attention.measure)
    if attention.source_axis:  # it has no end token
        numbers = f"{numbers.rpartition(' · ')[0]} · columns are {attention.source_axis}"
    return f"{attention.name} · {numbers}" if attention.name else numbers


def summary_text(summary: AttentionSummary, measure: str) -> str:
    """Return the four numbers of a map as a sentence; `measure` is what its weights are."""
    return (
        f"mean entropy {summary.mean_entropy_bits:.2f} bits "
        f"(uniform would be {summary.max_entropy_bits:.2f}) · "
        f"coverage of the source {summary.coverage:.0%} · "
        f"{measure} on the end token {summary.end_mass:.0%}"
    )


def _choose_grid(
    attention: AttentionMap, width: int, system: ColourSystem, half: bool | None
) -> Grid:
    labels = [cell_len(piece_label(piece)) for piece in attention.target_pieces]
    full = Grid(attention, system, False, width, min(max(labels), max(8, width // 4)), 2)
    large = len(attention.target_pieces) > TALL or len(attention.source_pieces) > full.capacity
    if system is None or not (large if half is None else half):
        return full
    one_label = min(max(labels), max(4, width // 8))
    wide = any(cell_len(c) > 1 for piece in attention.source_pieces for c in piece_label(piece))
    return Grid(attention, system, True, width, 2 * one_label + 1, 2 if wide else 1)


def _pages(count: int, grid: Grid) -> list[range]:
    """Divide `count` columns into the fewest pages, as evenly as possible."""
    size = -(-count // -(-count // grid.capacity))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _page(grid: Grid, columns: range) -> list[Text]:
    """Return the header and the rows of one page."""
    pieces = [piece_label(grid.attention.source_pieces[column]) for column in columns]
    margin = " " * (grid.label_width + 1)
    stripes = (
        ("", DIM) if grid.cell_width == 1 else ("", "")
    )  # so that narrow columns can be told apart
    if grid.attention.source_axis:
        header = [Text(margin + _ticks(grid, columns), DIM)]
        return [*header, *(_row(grid, row, columns) for row in _line_starts(grid))]
    header = []
    for cells in stacked(pieces, grid.cell_width, MAX_HEADER_HEIGHT):
        styled = ((cell, stripes[index % 2]) for index, cell in enumerate(cells))
        header.append(Text.assemble(margin, *styled))
    return [*header, *(_row(grid, row, columns) for row in _line_starts(grid))]


def _ticks(grid: Grid, columns: range) -> str:
    """Return the labels above some columns of a page, as wide as its columns."""
    pieces, width = grid.attention.source_pieces, grid.cell_width
    longest = max(map(cell_len, pieces))
    line = ""
    for column in grid.attention.ticks(-(-(longest + 1) // width)):
        before = (column - columns.start) * width
        if column in columns and before + cell_len(pieces[column]) <= len(columns) * width:
            line = f"{line:{before}}{pieces[column]}"
    return f"{line:{len(columns) * width}}"


def _line_starts(grid: Grid) -> range:
    return range(0, len(grid.attention.target_pieces), 2 if grid.half else 1)


def _labels(grid: Grid) -> list[Text]:
    """Return the row labels under an empty heading."""
    rows = [pad(piece_label(piece), grid.label_width) for piece in grid.attention.target_pieces]
    return [Text(row) for row in (" " * grid.label_width, *rows)]


def _row(grid: Grid, row: int, columns: range) -> Text:
    weights, pieces = grid.attention.weights, grid.attention.target_pieces
    if not grid.half:
        line = Text(pad(piece_label(pieces[row]), grid.label_width) + " ")
        for column in columns:
            weight = float(weights[row, column])
            line.append(*_cell(weight, grid.system, grid.cell_width, light=grid.light))
        return line
    below = row + 1 if row + 1 < len(pieces) else None
    one = grid.label_width // 2
    lower_label = "" if below is None else piece_label(pieces[below])
    line = Text(f"{pad(piece_label(pieces[row]), one)} {pad(lower_label, one)} ")
    for column in columns:
        upper = _colour(grid, row, column)
        lower = None if below is None else _colour(grid, below, column)
        line.append("▀" * grid.cell_width, Style(color=upper, bgcolor=lower))
    return line


def _colour(grid: Grid, row: int, column: int) -> Color:
    weight = float(grid.attention.weights[row, column])
    return weight_colour(weight, grid.system, light=grid.light)


def _cell(weight: float, system: ColourSystem, width: int, *, light: bool) -> tuple[str, Style]:
    if system is None:
        return SHADES[shade(weight)] * width, Style()
    return " " * width, Style(bgcolor=weight_colour(weight, system, light=light))


def _facts(grid: Grid) -> list[Text]:
    """Return a heading and, for each row, its best source piece, weight, entropy, probability."""
    attention = grid.attention
    labels = [piece_label(attention.source_pieces[column]) for column in attention.best]
    scores = attention.token_scores
    fixed = len(" weight bits") + (0 if scores is None else len(" prob"))
    room = min(MAX_BEST_WIDTH, grid.width - grid.label_width - 2 - fixed)
    best_width = min(max(4, *map(cell_len, labels)), room)
    heading = f"{'best':{best_width}} weight bits" + ("" if scores is None else " prob")
    lines = [Text(heading, DIM)]
    for row, text in enumerate(labels):
        weight = float(attention.weights[row].max())
        line = Text(pad(text, best_width), ink(weight, grid.system))
        line.append(f" {weight:6.2f} {attention.entropies[row]:4.1f}")
        line.append("" if scores is None else f" {exp(scores[row]):4.2f}")
        lines.append(line)
    return lines


def _copied(grid: Grid) -> list[Text]:
    """Return a heading and, for each row, p_copy and what was copied; empty without copying."""
    attention = grid.attention
    texts = copied_texts(attention)
    if not texts:
        return []
    width = min(max(map(cell_len, (COPIED, *texts))), MAX_COPIED_WIDTH)
    lines = [Text(f"{COPIED:{width}}", DIM)]
    for share, text in zip(attention.p_copy, texts, strict=True):
        lines.append(Text(pad(text, width), ink(share, grid.system)))
    return lines


def copied_texts(attention: AttentionMap) -> list[str]:
    """Return p_copy and the copied source piece of each row; empty if the model does not copy."""
    return [
        f"{share:6.2f}"
        + ("" if index is None else f" {piece_label(attention.source_pieces[index])}")
        for share, index in zip(attention.p_copy, attention.copied_from, strict=True)
    ]


def _side_by_side(left: Sequence[Text], right: Sequence[Text]) -> list[Text]:
    """Put `right` beside the last lines of `left`, two cells apart."""
    above = len(left) - len(right)
    joined = [
        Text.assemble(*pair) for pair in zip(left[above:], ["  "] * len(right), right, strict=True)
    ]
    return [*left[:above], *joined]


def _arrow(weight: float) -> str:
    return "◄━" if weight >= 0.5 else "◄─"


def _wrapped(text: str, width: int, style: Style) -> list[Text]:
    """Break a text into lines at spaces; its characters must be one cell wide."""
    return [Text(line, style) for line in textwrap.wrap(text, width)]
