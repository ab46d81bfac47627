"""A report card as one HTML page that loads nothing and runs no script."""

import re
from collections.abc import Sequence

from s2scli.report.card import Bars, CardPage, Samples, ShownRow
from s2scli.report.markup import escaped
from s2scli.report.page import Part, page

FLAG = re.compile(r"--[a-z][a-z-]*(?: [0-9.]+)?")
STYLE = """
main { max-width: 68rem; }
h2 { font-size: 1.5rem; margin: 0 0 1rem; }
h3 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
.facts { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; }
.facts div { flex: 1 1 7rem; border: 1px solid var(--line); border-radius: .5rem;
  padding: .5rem .8rem; }
.facts b { display: block; font-size: 1.35rem; font-weight: 600; }
.findings { padding-left: 1.4rem; margin: 0; }
.findings li { margin: .35rem 0; overflow-wrap: anywhere; }
.do, .quiet { opacity: .75; }
.flag { white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr));
  gap: 0 2.5rem; }
.charts > div { min-width: 0; }
.chart { display: grid; grid-template-columns: max-content minmax(3rem, 1fr) max-content;
  gap: 1px .7rem; align-items: center; font-size: .88rem; font-variant-numeric: tabular-nums; }
.chart .label { text-align: right; }
.chart .value { text-align: right; }
.chart i { display: block; height: .8rem; border-radius: 0 .2rem .2rem 0; min-width: 1px; }
.chart .gap { grid-column: 1 / -1; height: .3rem; }
.s0 { background: var(--c0); } .s1 { background: var(--c1); }
.legend { font-size: .88rem; margin: 0 0 .4rem; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem;
  margin: 0 .35rem 0 .9rem; vertical-align: -1px; }
.legend i:first-child { margin-left: 0; }
.wide { overflow-x: auto; }
.numbers { border-collapse: collapse; font-size: .92rem; }
.numbers th, .numbers td { padding: .2rem 1.2rem .2rem 0; text-align: right; font-weight: 400;
  white-space: nowrap; font-variant-numeric: tabular-nums; }
.numbers th:first-child { text-align: left; }
.numbers thead th { border-bottom: 1px solid var(--line); opacity: .75; }
details { border-top: 1px solid var(--line); padding: .45rem 0; }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; }
.pair { margin: .5rem 0 .9rem; display: grid; gap: .1rem 1.2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); font-size: .92rem; }
.pair .line { grid-column: 1 / -1; }
.pair div { overflow-wrap: anywhere; }
@media (max-width: 32rem) { .numbers th, .numbers td { padding-right: .7rem; } }
del { opacity: .65; text-decoration-color: var(--c1); }
ins { text-decoration: none; }
"""


def card_html(card: CardPage) -> str:
    """Return the report card as a page of its own."""
    part = card_part(card)
    heading = f"<h2>{escaped(card.title)}</h2>"
    return page(card.title, Part(part.style, f"<main>\n{heading}\n{part.body}\n</main>"))


def card_part(card: CardPage) -> Part:
    """Return the main numbers, what to look at first, the charts and the samples."""
    facts = "".join(
        f"<div><b>{escaped(value)}</b>{escaped(name)}</div>" for name, value in card.facts
    )
    findings = "".join(
        f"<li>{_flagged(what)}"
        + (f' <span class="do">→ {_flagged(do)}</span>' if do else "")
        + "</li>"
        for what, do in card.findings
    )
    listed = f'<ol class="findings">{findings}</ol>' if findings else "<p>Nothing stands out.</p>"
    tables = "\n".join(_table(*table) for table in card.tables)
    charts = "\n".join(map(_chart, card.charts))
    samples = "\n".join(map(_samples, card.samples))
    heading = "<h3>Samples</h3>\n" if samples else ""
    body = f"""<div class="facts">{facts}</div>
<h3>Look at first</h3>
{listed}
{tables}
<div class="charts">
{charts}
</div>
{heading}{samples}
<footer><p>{escaped(card.note)}</p></footer>"""
    return Part(STYLE, body)


def _flagged(text: str) -> str:
    """Return a text whose flags are never broken over two lines."""
    return FLAG.sub(r'<span class="flag">\g<0></span>', escaped(text))


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in headings)
    body = "\n".join(
        f'<tr><th scope="row">{escaped(first)}</th>'
        f"{''.join(f'<td>{escaped(cell)}</td>' for cell in cells)}</tr>"
        for first, *cells in rows
    )
    return (
        f'<h3>{escaped(title)}</h3>\n<div class="wide"><table class="numbers">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _chart(chart: Bars) -> str:
    """Return a chart; the bars of a row stand below each other."""
    legend = "".join(
        f'<i class="s{number}"></i>{escaped(name)}' for number, name in enumerate(chart.series)
    )
    parts = []
    for label, bars in chart.rows:
        for number, (value, text) in enumerate(bars):
            width = f"{100 * value / chart.most:.2f}%" if value else "0"
            name = "" if number else f"<bdi>{escaped(label)}</bdi>"
            drawn = f'<i class="s{number}" style="width: {width}"></i>' if value else ""
            parts.append(
                f'<span class="label">{name}</span><span>{drawn}</span>'
                f'<span class="value">{escaped(text)}</span>'
            )
        if len(bars) > 1:
            parts.append('<span class="gap"></span>')
    shown = f'<p class="legend">{legend}</p>\n' if len(chart.series) > 1 else ""
    rows = "\n".join(parts)
    return f'<div><h3>{escaped(chart.title)}</h3>\n{shown}<div class="chart">\n{rows}\n</div></div>'


def _samples(samples: Samples) -> str:
    rows = "\n".join(map(_pair, samples.rows))
    return f"<details><summary>{escaped(samples.title)}</summary>\n{rows}\n</details>"


def _pair(row: ShownRow) -> str:
    sides = ((row.source_before, row.source), (row.target_before, row.target))
    cells = "".join(f"<div>{_changed(before, after)}</div>" for before, after in sides)
    return f'<div class="pair"><span class="line quiet">{escaped(row.label)}</span>{cells}</div>'


def _changed(before: str, after: str) -> str:
    """Return a text, below what it was before if that differs."""
    now = f"<bdi>{escaped(after)}</bdi>" if after else '<span class="quiet">(empty)</span>'
    if not before or before == after:
        return now
    return f"<del><bdi>{escaped(before)}</bdi></del><br><ins>{now}</ins>"
