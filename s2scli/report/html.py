"""An attention map as one HTML page: values on hover, no scripts, no external files."""

from math import exp

from s2scli.report.attention import TICK, AttentionMap, Link, link_words
from s2scli.report.cells import clusters
from s2scli.report.heatmap import caption
from s2scli.report.markup import escaped
from s2scli.report.page import Part, key, key_style, level, level_style, page, sentences
from s2scli.report.pieces import piece_label, sign_legend

FACTS_WIDTH = 26  # the width of the labels and the numbers beside the map, in rem
STYLE = """
.map { overflow-x: auto; padding-bottom: .5rem; }
table { border-collapse: collapse; font-family: ui-monospace, monospace; font-size: .9rem; }
th { font-weight: 400; white-space: pre; }
.map thead th { vertical-align: bottom; padding: 0 0 .3rem; }
.map thead th.axis, .map thead th.fact { opacity: .7; font-family: system-ui, sans-serif; }
.map thead th.long span { writing-mode: vertical-rl; transform: rotate(180deg); }
.map thead th.tick { text-align: left; overflow: hidden; }
.map tbody th, .links th { text-align: right; padding: 0 .6rem 0 0; }
.map td { min-width: var(--side); height: var(--side); padding: 0;
  box-shadow: inset 0 0 0 .5px var(--line); }
.map td:hover { outline: 2px solid var(--ink); outline-offset: -2px; }
.map .fact, .map thead th.fact { padding: 0 0 .3rem 1rem; text-align: right; min-width: 0; }
.map td.fact { padding: 0 0 0 1rem; box-shadow: none; white-space: pre; }
.map .best { text-align: left; }
.map td.fact:hover { outline: none; }
.links td span { margin-right: 1.2rem; padding-bottom: .15rem; }
"""


def attention_html(attention: AttentionMap, threshold: float) -> str:
    """Return the map of a sentence pair as a page."""
    title = f"{attention.measure.capitalize()}: {attention.texts[0]}"
    return page(title, attention_part(attention, threshold))


def attention_part(attention: AttentionMap, threshold: float) -> Part:
    """Return the sentence pair, the map, the alignment and the summary.

    Args:
        attention: the map.
        threshold: the smallest weight that links two words.
    """
    links = "\n".join(_link_row(link) for link in link_words(attention, threshold))
    rows = "\n".join(_row(attention, row) for row in range(len(attention.target_pieces)))
    signs = sign_legend((*attention.source_pieces, *attention.target_pieces))
    side = f"clamp(1.4rem, (94vw - {FACTS_WIDTH}rem) / {len(attention.source_pieces)}, 3rem)"
    body = f"""{sentences(*attention.texts)}
<div class="map" style="--side: {side}"><table>
{_head(attention)}
<tbody>
{rows}
</tbody>
</table></div>
{key(attention.measure, signs)}
<table class="links">
{links}
</table>
<footer><p>{escaped(caption(attention))}</p><p>{escaped(attention.note)}</p></footer>"""
    return Part(STYLE + level_style("background: @") + key_style(), body)


def _head(attention: AttentionMap) -> str:
    """Return two rows of headings: the title of the horizontal axis, and the source pieces."""
    labels = [piece_label(piece) for piece in attention.source_pieces]
    ticks = attention.ticks(TICK)
    spans = [min(ticks.step, len(labels) - column) for column in ticks]
    cells = "".join(
        f'<th scope="col"{_turned(text)}><span><bdi>{escaped(text)}</bdi></span></th>'
        if span == 1 and not attention.source_axis
        else f'<th scope="colgroup" class="tick" colspan="{span}">{escaped(text)}</th>'
        for span, text in zip(spans, labels[:: ticks.step], strict=True)
    )
    names = ["best", "weight", "bits", *(["prob"] if attention.token_scores else [])]
    names += ["p_copy", "copied"] if attention.p_copy else []
    facts = "".join(f'<th class="fact{" best" * (name == "best")}">{name}</th>' for name in names)
    title = attention.axis_title
    return (
        f'<thead><tr><th></th><th class="axis" colspan="{len(labels)}">{title}</th></tr>\n'
        f'<tr><th class="axis">target </th>{cells}{facts}</tr></thead>'
    )


def _turned(text: str) -> str:
    """Return the class that turns a label upwards; a single character is not turned."""
    return ' class="long"' if len(clusters(text)) > 1 else ""


def _row(attention: AttentionMap, row: int) -> str:
    target = escaped(piece_label(attention.target_pieces[row]))
    sources = [escaped(piece_label(piece)) for piece in attention.source_pieces]
    weights = attention.weights[row].tolist()
    cells = "".join(
        f'<td class="l{level(weight)}" title="{target} ← {source}: {weight:.3f}"></td>'
        for source, weight in zip(sources, weights, strict=True)
    )
    best = int(attention.best[row])
    facts = [f"{weights[best]:.2f}", f"{attention.entropies[row]:.1f}"]
    if attention.token_scores:
        facts.append(f"{exp(attention.token_scores[row]):.2f}")
    if attention.p_copy:
        index = attention.copied_from[row]
        copied = "" if index is None else f"<bdi>{sources[index]}</bdi>"
        facts += [f"{attention.p_copy[row]:.2f}", copied]
    shown = "".join(f'<td class="fact">{fact}</td>' for fact in facts)
    return (
        f'<tr><th scope="row"><bdi>{target}</bdi></th>{cells}'
        f'<td class="fact best"><bdi>{sources[best]}</bdi></td>{shown}</tr>'
    )


def _link_row(link: Link) -> str:
    sources = "".join(
        f'<span style="border-bottom: {1 + round(3 * weight)}px solid">'
        f"← <bdi>{escaped(piece_label(word.text))}</bdi> {weight:.2f}</span>"
        for word, weight in link.sources
    )
    target = escaped(piece_label(link.target.text))
    return f'<tr><th scope="row"><bdi>{target}</bdi></th><td>{sources or "·"}</td></tr>'
