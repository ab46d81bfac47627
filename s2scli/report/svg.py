"""An attention map as an SVG picture, without links and with all text escaped."""

from collections.abc import Sequence

from rich.cells import cell_len

from s2scli.report.attention import AttentionMap
from s2scli.report.cells import cut, label
from s2scli.report.colours import hex_colour
from s2scli.report.heatmap import caption
from s2scli.report.markup import escaped

# Lengths in pixels.
SIDE = 24
FONT_SIZE = 13
CELL = 8.0  # the width of a character: monospace fonts are about 0.6 em wide
MARGIN = 16
GAP = 8
LINE = 20
KEY_STEPS = 16
MAX_TITLE_CELLS = 120


def attention_svg(attention: AttentionMap) -> str:
    """Return the picture: the map between its pieces, a key and the summary."""
    rows, columns = attention.weights.shape
    left = MARGIN + _length(attention.target_pieces) + GAP
    top = MARGIN + LINE + _length(attention.source_pieces) + GAP
    title = cut(label(" → ".join(attention.texts)), MAX_TITLE_CELLS)
    summary = caption(attention)
    longest = max(cell_len(title), len(summary)) * CELL
    width = round(max(left + columns * SIDE, longest) + 2 * MARGIN)
    height = round(top + rows * SIDE + 3 * LINE + MARGIN)
    body = [
        text_at(MARGIN, MARGIN + FONT_SIZE, title),
        *_labels(attention, left, top),
        *_cells(attention, left, top),
        *_key(left, top + rows * SIDE + LINE),
        text_at(MARGIN, height - MARGIN, summary),
    ]
    return picture(width, height, body)


def picture(width: int, height: int, body: Sequence[str]) -> str:
    """Return an SVG document of `width` x `height` pixels on a white background."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="monospace" font-size="{FONT_SIZE}" '
            'xml:space="preserve">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            *body,
            "</svg>\n",
        ]
    )


def _length(pieces: tuple[str, ...]) -> float:
    return max(cell_len(label(piece)) for piece in pieces) * CELL


def _labels(attention: AttentionMap, left: float, top: float) -> list[str]:
    targets = [
        text_at(left - GAP, top + (row + 0.5) * SIDE + FONT_SIZE / 3, label(piece), "end")
        for row, piece in enumerate(attention.target_pieces)
    ]
    sources = []
    for column, piece in enumerate(attention.source_pieces):
        x, y = left + (column + 0.5) * SIDE + FONT_SIZE / 3, top - GAP
        sources.append(text_at(x, y, label(piece), turned=True))
    return targets + sources


def _cells(attention: AttentionMap, left: float, top: float) -> list[str]:
    return [
        _square(
            left + column * SIDE,
            top + row * SIDE,
            weight,
            f"{target} ← {source}: {weight:.3f}",
        )
        for row, target in enumerate(attention.target_pieces)
        for column, (source, weight) in enumerate(
            zip(attention.source_pieces, attention.weights[row].tolist(), strict=True)
        )
    ]


def _key(left: float, top: float) -> list[str]:
    steps = [step / (KEY_STEPS - 1) for step in range(KEY_STEPS)]
    squares = [
        _square(left + step * SIDE / 2, top, weight, f"{weight:.2f}", SIDE / 2)
        for step, weight in enumerate(steps)
    ]
    y = top + FONT_SIZE - 2
    end = left + KEY_STEPS * SIDE / 2
    return [text_at(left - GAP, y, "0", "end"), *squares, text_at(end + GAP, y, "1")]


def _square(x: float, y: float, weight: float, title: str, side: float = SIDE) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{side:g}" height="{side:g}" '
        f'fill="{hex_colour(weight)}"><title>{escaped(title)}</title></rect>'
    )


def text_at(x: float, y: float, text: str, anchor: str = "start", *, turned: bool = False) -> str:
    """Return escaped text at a point; `turned` text reads upwards."""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>{escaped(text)}</text>'
