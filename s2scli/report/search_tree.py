"""A beam search as a tree, for the terminal and as JSON.

A line of the tree is a run of tokens without a branch. It ends where the beam branches, where a
hypothesis ends, or where it is pruned.
"""

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.style import Style
from rich.text import Text

from s2scli.report.attention import WORD_BEGIN
from s2scli.report.console import visible
from s2scli.report.pieces import piece_label, sign_legend

Fate = Literal["kept", "pruned", "ended"]

BEGIN = "begin"
LEGEND = "numbers are sums of log-probabilities · ■ ended · ✗ pruned · … not needed any more"
DIM, GOOD, BEST = Style(dim=True), Style(color="green"), Style(color="green", bold=True)
BAD = Style(color="red")


@dataclass(frozen=True)
class Node:
    """A continuation that the search considered.

    Attributes:
        parent: the index of the node that it continues; None at the first step.
        step: the step, from 1; also its length in tokens.
        piece: the token that it adds.
        log_prob: the sum of the log-probabilities of its tokens.
        fate: whether it was kept for the next step, pruned, or ended.
        score: the ranking score of one that ended, otherwise None.
    """

    parent: int | None
    step: int
    piece: str
    log_prob: float
    fate: Fate
    score: float | None = None


@dataclass(frozen=True)
class Finish:
    """A hypothesis that ended.

    Attributes:
        node: the index of its last node.
        text: the hypothesis.
        length: its tokens, end token included.
        log_prob: the sum of the log-probabilities of its tokens; the rank without penalties.
        by_length: the score after the length penalty.
        score: the ranking score; it differs from `by_length` if another rule changes it, such as a
            penalty for uncovered source tokens.
        coverage: the mean over the source of min(1, attention received); None if it was not
            returned by the search, or without attention.
    """

    node: int
    text: str
    length: int
    log_prob: float
    by_length: float
    score: float
    coverage: float | None


@dataclass(frozen=True)
class SearchTree:
    """The search of one sentence.

    Attributes:
        source: the source.
        settings: the settings of the search, in words.
        nodes: the continuations considered, in the order of the steps.
        finishes: the hypotheses that ended, best score first.
    """

    source: str
    settings: str
    nodes: tuple[Node, ...]
    finishes: tuple[Finish, ...]

    @property
    def steps(self) -> int:
        """The number of steps."""
        return self.nodes[-1].step if self.nodes else 0

    @functools.cached_property
    def continued(self) -> frozenset[int | None]:
        """The indices of the nodes with a continuation that was not pruned."""
        return frozenset(node.parent for node in self.nodes if node.fate != "pruned")


@dataclass(frozen=True)
class Run:
    """A line of the tree: tokens that follow each other without a branch.

    Attributes:
        nodes: the indices of its nodes; empty for the begin of the search.
        last: for each run on the way to it and for itself, whether it is the last one at its place.
        pruned: the indices of the pruned continuations of its nodes, most probable first.
    """

    nodes: tuple[int, ...]
    last: tuple[bool, ...]
    pruned: tuple[int, ...]


def runs_of(tree: SearchTree) -> list[Run]:
    """Return the lines of the tree from top to bottom; the most probable branch comes first."""
    children: defaultdict[int | None, list[int]] = defaultdict(list)
    for index, node in enumerate(tree.nodes):
        children[node.parent].append(index)
    for found in children.values():
        found.sort(key=lambda index: -tree.nodes[index].log_prob)
    return list(_runs(tree, children))


def _runs(tree: SearchTree, children: dict[int | None, list[int]]) -> Iterator[Run]:
    yield Run((), (), tuple(_pruned(tree, children, None)))
    stack = _starts(tree, children, None, ())
    while stack:
        index, where = stack.pop()
        nodes, pruned = [index], _pruned(tree, children, index)
        while len(heirs := _heirs(tree, children, nodes[-1])) == 1:
            nodes.append(heirs[0])
            pruned += _pruned(tree, children, heirs[0])
        pruned.sort(key=lambda one: -tree.nodes[one].log_prob)
        yield Run(tuple(nodes), where, tuple(pruned))
        stack += _starts(tree, children, nodes[-1], where)


def _starts(
    tree: SearchTree,
    children: dict[int | None, list[int]],
    above: int | None,
    last: tuple[bool, ...],
) -> list[tuple[int, tuple[bool, ...]]]:
    """Return the first nodes of the runs below a node, the last one first."""
    heirs = _heirs(tree, children, above)
    return [(index, (*last, index == heirs[-1])) for index in reversed(heirs)]


def _heirs(tree: SearchTree, children: dict[int | None, list[int]], above: int | None) -> list[int]:
    return [index for index in children.get(above, ()) if tree.nodes[index].fate != "pruned"]


def _pruned(
    tree: SearchTree, children: dict[int | None, list[int]], above: int | None
) -> list[int]:
    return [index for index in children.get(above, ()) if tree.nodes[index].fate == "pruned"]


def tree_lines(tree: SearchTree, pruned: int) -> list[Text]:
    """Return the tree as lines.

    Args:
        tree: the search.
        pruned: the number of pruned continuations to show for each line.
    """
    ranks = {finish.node: rank for rank, finish in enumerate(tree.finishes, 1)}
    lines = []
    for run in runs_of(tree):
        line = Text(_branch(run.last), DIM)
        line.append_text(_run_text(tree, run, ranks))
        if run.pruned and pruned:
            shown = ", ".join(label_of([tree.nodes[index].piece]) for index in run.pruned[:pruned])
            more = len(run.pruned) - pruned
            line.append(f"  not {shown}{f' (+{more})' * (more > 0)}", DIM)
        lines.append(line)
    signs = sign_legend(node.piece for node in tree.nodes)
    return [*lines, Text(), Text(f"{LEGEND}{f' · {signs}' * bool(signs)}", DIM)]


def _branch(last: Sequence[bool]) -> str:
    if not last:
        return ""
    above = "".join("   " if one else "│  " for one in last[:-1])
    return f"{above}{'└─ ' if last[-1] else '├─ '}"


def _run_text(tree: SearchTree, run: Run, ranks: dict[int, int]) -> Text:
    """Return the tokens of a run, the sum of log-probabilities and what became of it."""
    if not run.nodes:
        return Text(BEGIN)
    end = tree.nodes[run.nodes[-1]]
    label = label_of([tree.nodes[index].piece for index in run.nodes])
    fate = fate_of(tree, run, ranks)
    if fate.startswith("■"):
        style = BEST if ranks[run.nodes[-1]] == 1 else GOOD
    else:
        style = BAD if fate.startswith("✗") else Style()
    return Text.assemble(
        (label, style), (f"  {end.log_prob:.2f}", DIM), (f"  {fate}".rstrip(), style)
    )


def fate_of(tree: SearchTree, run: Run, ranks: dict[int, int]) -> str:
    """Return what became of the last token of a run; empty if the beam branches there."""
    index = run.nodes[-1]
    node = tree.nodes[index]
    if node.fate == "ended":
        return f"■ rank {ranks[index]}, score {node.score:.4f}"
    if index in tree.continued:
        return ""
    return "…" if node.step == tree.steps else f"✗ step {node.step + 1}"


def label_of(pieces: Sequence[str]) -> str:
    """Return the text of some pieces; the signs of special tokens are kept."""
    shown = (piece_label(piece).replace(WORD_BEGIN, " ") for piece in pieces)
    return visible("".join(shown).strip()) or WORD_BEGIN


def finish_rows(tree: SearchTree) -> tuple[list[str], list[list[str]]]:
    """Return the headings and rows of the table of ended hypotheses.

    The score after the length penalty and what other rules added have columns only if they differ.
    """
    changed = any(abs(one.score - one.by_length) > 1e-5 for one in tree.finishes)
    by_sum = sorted(range(len(tree.finishes)), key=lambda index: -tree.finishes[index].log_prob)
    headings = ["rank", "sum", "by sum", "length", *["by length", "other"] * changed]
    rows = [
        [
            str(rank),
            f"{one.log_prob:.2f}",
            str(by_sum.index(rank - 1) + 1),
            str(one.length),
            *[f"{one.by_length:.4f}", f"{one.score - one.by_length:+.4f}"] * changed,
            f"{one.score:.4f}",
            "" if one.coverage is None else f"{one.coverage:.0%}",
            one.text,
        ]
        for rank, one in enumerate(tree.finishes, 1)
    ]
    return [*headings, "score", "covered", "hypothesis"], rows


def tree_document(tree: SearchTree) -> dict[str, Any]:
    """Return the search as a JSON document; a parent is an index in `nodes`."""
    return {
        "source": tree.source,
        "search": tree.settings,
        "nodes": [asdict(node) for node in tree.nodes],
        "ended": [asdict(finish) for finish in tree.finishes],
    }
