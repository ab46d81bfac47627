"""A beam search as one HTML page: a tree that opens and closes, without scripts."""

from s2scli.report.markup import escaped
from s2scli.report.page import Part, page
from s2scli.report.search_tree import (
    BEGIN,
    LEGEND,
    Run,
    SearchTree,
    fate_of,
    finish_rows,
    label_of,
    runs_of,
)

STYLE = """
ul { list-style: none; margin: 0; padding-left: 1.2rem; border-left: 1px solid var(--line); }
summary, li { padding: .1rem 0; }
.sum, .pruned { opacity: .65; font-size: .85rem; margin-left: .6rem; }
.ended { color: #1a7f37; } .best { font-weight: 700; } .cut { color: #cf222e; }
table { border-collapse: collapse; margin-top: 1.5rem; }
th, td { padding: .15rem .8rem .15rem 0; text-align: right; font-weight: 400; }
th:last-child, td:last-child { text-align: left; }
th { border-bottom: 1px solid var(--line); }
"""
END_ITEM = "</ul></details></li>"


def search_html(tree: SearchTree) -> str:
    """Return the page: the tree with all pruned continuations, and the ended hypotheses."""
    ranks = {finish.node: rank for rank, finish in enumerate(tree.finishes, 1)}
    items, open_items = [], 0
    for run in runs_of(tree):
        items.append(END_ITEM * (open_items - len(run.last)))
        summary = _summary(tree, run, ranks)
        items.append(f'<li><details open=""><summary>{summary}</summary><ul>')
        open_items = len(run.last) + 1
    items.append(END_ITEM * open_items)
    headings, rows = finish_rows(tree)
    head = "".join(f"<th>{escaped(heading)}</th>" for heading in headings)
    body = "\n".join(
        "<tr>" + "".join(f"<td><bdi>{escaped(cell)}</bdi></td>" for cell in row) + "</tr>"
        for row in rows
    )
    content = f"""<h1><bdi>{escaped(tree.source)}</bdi></h1>
<p>{escaped(tree.settings)}</p>
<ul>
{"".join(items)}
</ul>
<p>{escaped(LEGEND)}</p>
<table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table>"""
    return page(f"Search: {tree.source}", Part(STYLE, content))


def _summary(tree: SearchTree, run: Run, ranks: dict[int, int]) -> str:
    """Return a run, what became of it, and its pruned continuations with their sums."""
    pruned = ", ".join(
        f"{escaped(label_of([tree.nodes[index].piece]))} {tree.nodes[index].log_prob:.2f}"
        for index in run.pruned
    )
    others = f'<span class="pruned">not {pruned}</span>' if pruned else ""
    if not run.nodes:
        return f"{BEGIN}{others}"
    last = tree.nodes[run.nodes[-1]]
    fate = fate_of(tree, run, ranks)
    kind = "ended" if fate.startswith("■") else "cut" if fate.startswith("✗") else ""
    best = " best" * (ranks.get(run.nodes[-1]) == 1)
    text = escaped(label_of([tree.nodes[index].piece for index in run.nodes]))
    return (
        f'<bdi class="{kind}{best}">{text}</bdi><span class="sum">{last.log_prob:.2f}</span>'
        f'<span class="sum {kind}">{escaped(fate)}</span>{others}'
    )
