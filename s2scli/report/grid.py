"""A grid of small pictures, one for the map of each layer and head, for terminals and as SVG.

Under each picture are its mean entropy and its order, and `best` marks the head that aligns best;
a legend explains them. If a picture has fewer points than the map, each point is the largest
weight of the cells it covers, so that no sharp line is lost.
"""

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.style import Style
from rich.text import Text

from s2scli.report.attention import NOTE
from s2scli.report.cells import cut, isolated, label
from s2scli.report.colours import SHADES, ColourSystem, shade, weight_colour
from s2scli.report.heads import AttentionHeads
from s2scli.report.heatmap import DIM, key_line, render_lines
from s2scli.report.page import LEVELS
from s2scli.report.svg import KEY_HEIGHT, frame, key, picture, text_at

MIN_CELLS, MAX_CELLS = 12, 24  # the width of a picture; "head 12 best" and "entropy 10.2" take 12
MAX_POINTS = 32  # the height of a picture; a line shows two points
GAP = 2

# Lengths of the SVG in pixels.
SIDE = 144
MARGIN = 16
LINE = 18
NOTE_CELLS = 80

LEGEND = (
    "Rows are target pieces from top to bottom, columns are source pieces from left to right. "
    "Entropy is the mean over the rows, in bits: 0 means that each row looks at one source piece. "
    "Order is the diagonality: 1 follows the order of the source, -1 reverses it, 0 does neither. "
    "The head marked best has the largest sharpness x coverage, without the end tokens: "
)


def render_grid(
    heads: AttentionHeads, width: int, system: ColourSystem, *, light: bool = False
) -> str:
    """Return the grid as text: the sentence pair, the pictures of each layer, the key, a legend.

    Args:
        heads: the maps.
        width: the maximum width of a line in cells, at least 32.
        system: the colours to use; None for plain text, with characters as shades.
        light: whether the background is light.
    """
    texts = (isolated(cut(label(text), width)) for text in _texts(heads))
    lines = [
        *(Text(text, style) for text, style in zip(texts, (DIM, Style(bold=True)), strict=True)),
        *_pictures(heads, width, system, light=light),
        Text(),
        key_line(system, light=light),
        Text(),
        *(Text(line) for line in textwrap.wrap(legend(heads), width)),
        *(Text(line, DIM) for line in textwrap.wrap(NOTE, width)),
    ]
    return render_lines(lines, system)


def legend(heads: AttentionHeads) -> str:
    """Return the explanation of the pictures and of the numbers under them."""
    return f"{LEGEND}{heads.qualities.max():.2f}."


def pooled(weights: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Return a map [T, S] max-pooled to `rows` x `columns` points."""
    for axis, points in ((0, rows), (1, columns)):
        size = weights.shape[axis]
        parts = [
            weights.take(range(point * size // points, -(-(point + 1) * size // points)), axis)
            for point in range(points)
        ]
        weights = np.stack([part.max(axis=axis) for part in parts], axis=axis)
    return weights


def grid_document(heads: AttentionHeads) -> dict[str, Any]:
    """Return all maps as a JSON document; layers and heads are counted from 1."""
    source, target = _texts(heads)
    best_layer, best_head = heads.best
    return {
        "source": source,
        "target": target,
        "source_pieces": list(heads.source_pieces),
        "target_pieces": list(heads.target_pieces),
        "token_scores": None if heads.token_scores is None else list(heads.token_scores),
        "best": {"layer": best_layer + 1, "head": best_head + 1},
        "maps": [
            {
                "layer": layer + 1,
                "head": head + 1,
                "mean_entropy_bits": float(heads.entropies[layer, head]),
                "diagonality": float(heads.diagonalities[layer, head]),
                "alignment_quality": float(heads.qualities[layer, head]),
                "weights": heads.weights[layer, head].tolist(),
            }
            for layer, head in np.ndindex(heads.num_layers, heads.num_heads)
        ],
        "note": NOTE,
    }


def grid_svg(heads: AttentionHeads) -> str:
    """Return the grid as an SVG picture: a row for each layer, a column for each head."""
    rows, columns = heads.weights.shape[2:]
    height = round(SIDE * min(max(rows / columns, 0.25), 2.0))
    top = MARGIN + 3 * LINE
    step_x, step_y = SIDE + MARGIN, height + 3 * LINE + MARGIN
    bottom = top + heads.num_layers * step_y
    notes = [*textwrap.wrap(legend(heads), NOTE_CELLS), *textwrap.wrap(NOTE, NOTE_CELLS)]
    notes_top = bottom + KEY_HEIGHT + 2 * LINE
    width = max(MARGIN + heads.num_heads * step_x, NOTE_CELLS * 8 + 2 * MARGIN)
    title = cut(label(" → ".join(_texts(heads))), NOTE_CELLS)
    body = [text_at(MARGIN, MARGIN + 13, title)]
    for layer, head in np.ndindex(heads.num_layers, heads.num_heads):
        x, y = MARGIN + head * step_x, top + layer * step_y
        entropy, order = _facts(heads, layer, head)
        mark = ", best" if (layer, head) == heads.best else ""
        body += [
            text_at(x, y - 4, f"layer {layer + 1} head {head + 1}"),
            _squares(heads.weights[layer, head], x, y, SIDE / columns, height / rows),
            frame(x, y, SIDE, height),
            text_at(x, y + height + LINE - 4, f"{entropy} bits"),
            text_at(x, y + height + 2 * LINE - 4, f"{order}{mark}"),
        ]
    body += key(2 * MARGIN, bottom, "1  attention weight")
    body += [text_at(MARGIN, notes_top + index * LINE, note) for index, note in enumerate(notes)]
    return picture(width, notes_top + len(notes) * LINE + MARGIN, body)


def _texts(heads: AttentionHeads) -> tuple[str, str]:
    return heads.map(heads.weights[0, 0]).texts


def _pictures(
    heads: AttentionHeads, width: int, system: ColourSystem, *, light: bool
) -> Iterator[Text]:
    """Yield the lines of all layers, with as many heads of a layer side by side as fit."""
    together = min(heads.num_heads, (width + GAP) // (MIN_CELLS + GAP))
    lines = -(-heads.num_heads // together)
    together = -(-heads.num_heads // lines)
    cells = min(MAX_CELLS, (width + GAP) // together - GAP)
    for layer in range(heads.num_layers):
        for first in range(0, heads.num_heads, together):
            numbers = range(first, min(first + together, heads.num_heads))
            yield from (Text(), Text(f"layer {layer + 1}"))
            pictures = [
                _picture(heads, layer, head, cells, system, light=light) for head in numbers
            ]
            yield from _beside(pictures)


def _beside(pictures: list[list[Text]]) -> Iterator[Text]:
    for parts in zip(*pictures, strict=True):
        yield Text(" " * GAP).join(parts)


def _picture(
    heads: AttentionHeads, layer: int, head: int, cells: int, system: ColourSystem, *, light: bool
) -> list[Text]:
    """Return the lines of one picture, each of `cells` cells: its head, its map, its numbers."""
    rows, columns = heads.weights.shape[2:]
    across = cells if columns > cells else cells // columns * columns
    down = min(max(round(across * rows / columns), 2), MAX_POINTS)
    lines = -(-down // 2)
    points = pooled(heads.weights[layer, head], lines * (1 if system is None else 2), across)
    drawn = [_line(points, line, system, light=light) for line in range(lines)]
    for text in drawn:
        text.append(" " * (cells - across))
    name = f"head {head + 1}" + (" best" if (layer, head) == heads.best else "")
    facts = [Text(fact.ljust(cells), DIM) for fact in _facts(heads, layer, head)]
    return [Text(name.ljust(cells)), *drawn, *facts]


def _line(points: NDArray[np.float32], line: int, system: ColourSystem, *, light: bool) -> Text:
    if system is None:
        return Text("".join(SHADES[shade(float(weight))] for weight in points[line]))
    text = Text()
    for upper, lower in zip(points[2 * line], points[2 * line + 1], strict=True):
        colours = (weight_colour(float(w), system, light=light) for w in (upper, lower))
        text.append("▀", Style(color=next(colours), bgcolor=next(colours)))
    return text


def _facts(heads: AttentionHeads, layer: int, head: int) -> tuple[str, str]:
    """Return the entropy and the order of a map, in words."""
    entropy, order = heads.entropies[layer, head], heads.diagonalities[layer, head]
    return f"entropy {entropy:.1f}", f"order {order:+.2f}"


def _squares(weights: NDArray[np.float32], x: float, y: float, across: float, down: float) -> str:
    """Return a map as one path for each colour, over a rectangle in the colour of weight 0."""
    rows, columns = weights.shape
    levels = np.rint(np.clip(weights, 0.0, 1.0) * (LEVELS - 1)).astype(int)
    paths = []
    for level in range(1, LEVELS):
        squares = "".join(f"M{c} {r}h1v1h-1z" for r, c in np.argwhere(levels == level))
        if squares:
            paths.append(f'<path class="l{level}" d="{squares}"/>')
    return (
        f'<g transform="translate({x:g} {y:g}) scale({across:.4g} {down:.4g})">'
        f'<rect width="{columns}" height="{rows}" class="l0"/>'
        f"{''.join(paths)}</g>"
    )
