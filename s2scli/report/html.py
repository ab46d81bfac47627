"""An attention map as one HTML page: values on hover, no scripts, no external resources."""

from s2scli.report.attention import NOTE, AttentionMap, Link, link_words
from s2scli.report.colours import hex_colour
from s2scli.report.grid import grid_svg
from s2scli.report.heads import AttentionHeads
from s2scli.report.heatmap import caption
from s2scli.report.markup import escaped

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.1rem; font-weight: 400; margin: 0; opacity: .7; }
h2 { font-size: 1.3rem; margin: 0 0 1.5rem; }
.map { overflow-x: auto; padding-bottom: .5rem; }
table { border-collapse: collapse; font-family: ui-monospace, monospace; font-size: .85rem; }
th { font-weight: 400; white-space: pre; }
.map thead th { vertical-align: bottom; padding: 0 0 .4rem; }
.map thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
.map tbody th, .links th { text-align: right; padding: 0 .6rem 0 0; }
.map td { min-width: 1.4rem; width: 1.4rem; height: 1.4rem; padding: 0; }
.map td:hover { outline: 2px solid #fff; outline-offset: -2px; }
.map td.fact { padding: 0 0 0 1rem; width: auto; }
.key { display: inline-block; width: 12rem; height: .8rem; margin: 0 .5rem; }
.links td span { margin-right: 1.2rem; border-bottom: .2rem solid; }
footer { margin-top: 1.5rem; opacity: .7; font-size: .85rem; }
"""


def attention_html(attention: AttentionMap, threshold: float) -> str:
    """Return the page: the sentence pair, the map, the alignment and the summary."""
    links = "\n".join(_link_row(link) for link in link_words(attention, threshold))
    stops = ", ".join(hex_colour(step / 8) for step in range(9))
    body = f"""<div class="map"><table>
{_head(attention)}
<tbody>
{_rows(attention)}
</tbody>
</table></div>
<p>0<span class="key" style="background: linear-gradient(to right, {stops})"></span>1</p>
<table class="links">
{links}
</table>
<footer><p>{escaped(caption(attention))}</p><p>{escaped(NOTE)}</p></footer>"""
    return _page(*attention.texts, body)


def grid_html(heads: AttentionHeads) -> str:
    """Return the page of a grid: the sentence pair and the picture."""
    texts = heads.map(heads.weights[0, 0]).texts
    return _page(*texts, f'<div class="map">{grid_svg(heads)}</div>')


def _page(source_text: str, target_text: str, body: str) -> str:
    source, target = escaped(source_text), escaped(target_text)
    return f"""<!doctype html>
<html lang="und">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Attention: {source}</title>
<style>{STYLE}</style>
</head>
<body>
<h1><bdi>{source}</bdi></h1>
<h2><bdi>{target}</bdi></h2>
{body}
</body>
</html>
"""


def _head(attention: AttentionMap) -> str:
    cells = "".join(
        f'<th scope="col"><span><bdi>{escaped(piece)}</bdi></span></th>'
        for piece in attention.source_pieces
    )
    probability = "" if attention.token_scores is None else "<th>log p</th>"
    return f"<thead><tr><th></th>{cells}<th>bits</th>{probability}</tr></thead>"


def _rows(attention: AttentionMap) -> str:
    return "\n".join(_row(attention, row) for row in range(len(attention.target_pieces)))


def _row(attention: AttentionMap, row: int) -> str:
    target = escaped(attention.target_pieces[row])
    cells = "".join(
        f'<td style="background:{hex_colour(weight)}" '
        f'title="{target} ← {escaped(source)}: {weight:.3f}"></td>'
        for source, weight in zip(
            attention.source_pieces, attention.weights[row].tolist(), strict=True
        )
    )
    facts = f'<td class="fact">{attention.entropies[row]:.1f}</td>'
    if attention.token_scores is not None:
        facts += f'<td class="fact">{attention.token_scores[row]:.2f}</td>'
    return f'<tr><th scope="row"><bdi>{target}</bdi></th>{cells}{facts}</tr>'


def _link_row(link: Link) -> str:
    sources = "".join(
        f'<span style="border-color:{hex_colour(weight)}">← <bdi>{escaped(word.text)}</bdi> '
        f"{weight:.2f}</span>"
        for word, weight in link.sources
    )
    target = escaped(link.target.text)
    return f'<tr><th scope="row"><bdi>{target}</bdi></th><td>{sources or "·"}</td></tr>'
