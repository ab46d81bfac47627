"""An attention map as an SVG picture, without links and with all text escaped.

It follows the light or dark mode of the browser, even as an image in a web page.
"""

import math
import textwrap
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from s2scli.report.attention import AttentionMap
from s2scli.report.cells import clusters, cut, label
from s2scli.report.heatmap import COPIED, caption, copied_texts
from s2scli.report.markup import escaped
from s2scli.report.page import DARK, level, level_style
from s2scli.report.pieces import piece_label, sign_legend

# Lengths in pixels.
SIDE = 24
FONT_SIZE = 13
CELL = 8.0  # the width of a character: monospace fonts are about 0.6 em wide
MARGIN = 16
GAP = 8
LINE = 20
KEY_STEPS = 16
KEY_HEIGHT = SIDE // 2
MAX_TITLE_CELLS = 120
MIN_SUMMARY_CELLS = 50
STYLE = (
    "text { fill: #1b1b1f } .ground { fill: #fff }\n"
    ".frame { fill: none; stroke: #8888 }\n"
    f"{DARK} {{ text {{ fill: #e8e8ec }} .ground {{ fill: #111114 }} }}\n"
)


def attention_svg(attention: AttentionMap) -> str:
    """Return the picture: the map between its pieces, a key and the summary."""
    rows, columns = attention.weights.shape
    labels = [piece_label(piece) for piece in attention.source_pieces]
    left = MARGIN + LINE + _length(map(piece_label, attention.target_pieces)) + GAP
    height_of_labels = (
        LINE if attention.source_axis or _all_upright(labels) else _length(labels) + GAP
    )
    top = MARGIN + 2 * LINE + GAP + height_of_labels
    title = cut(label(" → ".join(attention.texts)), MAX_TITLE_CELLS)
    widest = max(
        left + columns * SIDE + _copied_width(attention),
        left + KEY_STEPS * KEY_HEIGHT + 3 * GAP + cell_len(_key_note(attention)) * CELL,
        cell_len(title) * CELL,
        MIN_SUMMARY_CELLS * CELL,
    )
    summary = textwrap.wrap(caption(attention), int(widest / CELL))
    width = round(widest + 2 * MARGIN)
    summary_top = top + rows * SIDE + 2 * LINE
    height = round(summary_top + len(summary) * LINE + MARGIN)
    middle = left + columns * SIDE / 2
    body = [
        text_at(MARGIN, MARGIN + FONT_SIZE, title),
        text_at(middle, MARGIN + LINE + GAP + FONT_SIZE, attention.axis_title, "middle"),
        text_at(MARGIN + FONT_SIZE, top + rows * SIDE / 2, "target", "middle", turned=True),
        *_labels(attention, left, top),
        *_cells(attention, left, top),
        *_copied(attention, left + columns * SIDE + 2 * GAP, top),
        frame(left, top, columns * SIDE, rows * SIDE),
        *key(left, top + rows * SIDE + LINE, _key_note(attention)),
        *(text_at(MARGIN, summary_top + LINE * line, text) for line, text in enumerate(summary, 1)),
    ]
    return picture(width, height, body)


def picture(width: int, height: int, body: Sequence[str]) -> str:
    """Return an SVG document of `width` x `height` pixels on a white or a dark background."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="monospace" font-size="{FONT_SIZE}" '
            'xml:space="preserve">',
            f"<style>{STYLE}{level_style('fill: @')}</style>",
            f'<rect class="ground" width="{width}" height="{height}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _length(labels: Iterable[str]) -> float:
    return max(map(cell_len, labels)) * CELL


def _upright(text: str) -> bool:
    return len(clusters(text)) <= 1


def _all_upright(labels: Iterable[str]) -> bool:
    return all(_upright(text) for text in labels)


def _labels(attention: AttentionMap, left: float, top: float) -> list[str]:
    """Return the labels of rows and columns; a single character is not turned."""
    targets = [
        text_at(left - GAP, top + (row + 0.5) * SIDE + FONT_SIZE / 3, piece_label(piece), "end")
        for row, piece in enumerate(attention.target_pieces)
    ]
    sources = []
    longest = _length(attention.source_pieces) + GAP
    for column in attention.ticks(math.ceil(longest / SIDE)):
        text, x = piece_label(attention.source_pieces[column]), left + (column + 0.5) * SIDE
        y = top - GAP
        if attention.source_axis or _upright(text):
            sources.append(text_at(x, y, text, "middle"))
        else:
            sources.append(text_at(x + FONT_SIZE / 3, y, text, turned=True))
    return targets + sources


def _cells(attention: AttentionMap, left: float, top: float) -> list[str]:
    return [
        _square(
            left + column * SIDE,
            top + row * SIDE,
            weight,
            f"{piece_label(target)} ← {piece_label(source)}: {weight:.3f}",
        )
        for row, target in enumerate(attention.target_pieces)
        for column, (source, weight) in enumerate(
            zip(attention.source_pieces, attention.weights[row].tolist(), strict=True)
        )
    ]


def _copied_width(attention: AttentionMap) -> float:
    """Return the width of the texts beside the map; 0 if the model does not copy."""
    texts = copied_texts(attention)
    return 2 * GAP + _length([COPIED, *texts]) if texts else 0.0


def _copied(attention: AttentionMap, x: float, top: float) -> list[str]:
    """Return p_copy and the copied piece beside each row; nothing if the model does not copy."""
    texts = copied_texts(attention)
    if not texts:
        return []
    rows = (
        text_at(x, top + (row + 0.5) * SIDE + FONT_SIZE / 3, text) for row, text in enumerate(texts)
    )
    return [text_at(x, top - GAP, COPIED), *rows]


def _key_note(attention: AttentionMap) -> str:
    """Return the text after the scale: the weight 1, and the meaning of the signs."""
    signs = sign_legend((*attention.source_pieces, *attention.target_pieces))
    return f"1  {signs}" if signs else "1"


def key(left: float, top: float, note: str) -> list[str]:
    """Return the scale of the colours, with 0 before it and `note` after it."""
    steps = [step / (KEY_STEPS - 1) for step in range(KEY_STEPS)]
    squares = [
        _square(left + step * KEY_HEIGHT, top, weight, f"{weight:.2f}", KEY_HEIGHT)
        for step, weight in enumerate(steps)
    ]
    y = top + FONT_SIZE - 2
    end = left + KEY_STEPS * KEY_HEIGHT
    edge = frame(left, top, end - left, KEY_HEIGHT)
    return [text_at(left - GAP, y, "0", "end"), *squares, edge, text_at(end + GAP, y, note)]


def frame(x: float, y: float, width: float, height: float) -> str:
    """Return the border of an area, whose colour may be that of the background."""
    return f'<rect class="frame" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'


def _square(x: float, y: float, weight: float, title: str, side: float = SIDE) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{side:g}" height="{side:g}" '
        f'class="l{level(weight)}"><title>{escaped(title)}</title></rect>'
    )


def text_at(x: float, y: float, text: str, anchor: str = "start", *, turned: bool = False) -> str:
    """Return escaped text at a point; `turned` text reads upwards."""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>{escaped(text)}</text>'
