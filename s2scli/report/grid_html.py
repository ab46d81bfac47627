"""The maps of all layers and heads as one HTML page: a large picture of each, tokens on hover."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from s2scli.report.attention import NOTE
from s2scli.report.grid import legend
from s2scli.report.heads import AttentionHeads
from s2scli.report.markup import escaped
from s2scli.report.page import Part, key, key_style, level, level_style, page, sentences
from s2scli.report.pieces import piece_label, sign_legend

SMALLEST = 14  # the smallest width of a map, in rem
STYLE = """
.layer { display: grid; gap: 1.2rem; padding: .5rem; margin: 0 -.5rem .8rem; overflow-x: auto; }
figure { margin: 0; }
figcaption { font-size: .85rem; line-height: 1.4; margin-top: .3rem; }
figcaption b { font-weight: 600; }
figure.best { outline: 3px solid #d9488b; outline-offset: 4px; }
svg { display: block; width: 100%; height: auto; max-height: 32rem; border: 1px solid var(--line); }
svg rect:hover { stroke: var(--ink); stroke-width: 2px; vector-effect: non-scaling-stroke; }
"""
HINT = "Point at a cell to read its pieces and its weight."


def grid_html(heads: AttentionHeads) -> str:
    """Return the page: the sentence pair, the scale, a row of maps for each layer, a legend."""
    texts = heads.map(heads.weights[0, 0]).texts
    signs = sign_legend((*heads.source_pieces, *heads.target_pieces))
    columns = f"repeat({heads.num_heads}, minmax({SMALLEST}rem, 1fr))"
    layers = "\n".join(
        f'<div class="layer" style="grid-template-columns: {columns}">\n'
        + "\n".join(_figure(heads, layer, head) for head in range(heads.num_heads))
        + "\n</div>"
        for layer in range(heads.num_layers)
    )
    body = f"""{sentences(*texts)}
{key(note=signs)}
{layers}
<footer><p>{escaped(f"{HINT} {legend(heads)}")}</p><p>{escaped(NOTE)}</p></footer>"""
    style = STYLE + level_style("fill: @") + key_style()
    return page(f"Attention of every layer and head: {texts[0]}", Part(style, body))


def _figure(heads: AttentionHeads, layer: int, head: int) -> str:
    """Return one map, with its name, its entropy and its order under it."""
    frame, mark = (' class="best"', ", best") if (layer, head) == heads.best else ("", "")
    facts = (
        f"entropy {heads.entropies[layer, head]:.1f} bits, "
        f"order {heads.diagonalities[layer, head]:+.2f}"
    )
    name = f"<b>layer {layer + 1}, head {head + 1}</b>{mark}"
    picture = _picture(heads, layer, head)
    return f"<figure{frame}>{picture}<figcaption>{name}<br>{facts}</figcaption></figure>"


def _picture(heads: AttentionHeads, layer: int, head: int) -> str:
    sources = [piece_label(piece) for piece in heads.source_pieces]
    targets = [piece_label(piece) for piece in heads.target_pieces]
    name = f"layer {layer + 1}, head {head + 1}"
    return map_picture(heads.weights[layer, head], sources, targets, name)


def map_picture(
    weights: NDArray[np.floating], sources: Sequence[str], targets: Sequence[str], name: str
) -> str:
    """Return a map with a tooltip on every cell, as SVG that uses the classes of `level_style`.

    Most weights are nearly 0. Those of a row share one wide cell, which keeps the page small.

    Args:
        weights: the attention weights, [T, S].
        sources: the labels of the S source pieces.
        targets: the labels of the T target pieces.
        name: what the map shows.
    """
    rows, columns = weights.shape
    sources, targets = [*map(escaped, sources)], [*map(escaped, targets)]
    ground = (
        f'<rect class="l0" y="{row}" width="{columns}" height="1">'
        f"<title>{target} ← anything else: nearly 0</title></rect>"
        for row, target in enumerate(targets)
    )
    cells = (
        f'<rect class="l{level(weight)}" x="{column}" y="{row}" width="1" height="1">'
        f"<title>{targets[row]} ← {sources[column]}: {weight:.2f}</title></rect>"
        for row, line in enumerate(weights.tolist())
        for column, weight in enumerate(line)
        if level(weight)
    )
    return (
        f'<svg viewBox="0 0 {columns} {rows}" shape-rendering="crispEdges" role="img" '
        f'aria-label="{escaped(name)}">{"".join(ground)}{"".join(cells)}</svg>'
    )
