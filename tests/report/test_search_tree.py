"""The tree of a search, as text."""

import json
from collections.abc import Iterator

from s2scli.report.search_tree import (
    Finish,
    Node,
    SearchTree,
    finish_rows,
    runs_of,
    tree_document,
    tree_lines,
)

NODES = (
    Node(None, 1, "▁a", -0.1, "kept"),  # 0
    Node(None, 1, "▁b", -0.5, "kept"),
    Node(None, 1, "▁x", -2.0, "pruned"),
    Node(0, 2, "▁c", -0.4, "kept"),  # 3
    Node(0, 2, "▁y", -0.9, "pruned"),
    Node(1, 2, "▁z", -1.5, "pruned"),
    Node(3, 3, "</s>", -0.6, "ended", -0.2),  # 6
    Node(3, 3, "▁d", -0.7, "kept"),
)
FINISHES = (Finish(6, "a c", 3, -0.6, -0.2, -0.2, 0.5),)
TREE = SearchTree("s", "beam size 2", NODES, FINISHES)


def test_tokens_that_follow_each_other_are_one_line() -> None:
    assert [run.nodes for run in runs_of(TREE)] == [(), (0, 3), (6,), (7,), (1,)]


def test_each_node_is_in_the_tree_once() -> None:
    runs = runs_of(TREE)
    shown = [index for run in runs for index in (*run.nodes, *run.pruned)]
    assert sorted(shown) == list(range(len(NODES)))


def test_the_lines_say_what_became_of_each_run() -> None:
    assert [line.plain for line in tree_lines(TREE, 2)[:5]] == [
        "begin  not x",
        "├─ a c  -0.40  not y",
        "│  ├─ ⏎  -0.60  ■ rank 1, score -0.2000",
        "│  └─ d  -0.70  …",
        "└─ b  -0.50  ✗ step 2  not z",
    ]
    assert "⏎ end of the sentence" in tree_lines(TREE, 2)[-1].plain
    assert [line.plain for line in tree_lines(TREE, 0)[:2]] == ["begin", "├─ a c  -0.40"]


def test_the_nodes_are_not_searched_for_each_run() -> None:
    class Counted(tuple[Node, ...]):
        searches = 0

        def __iter__(self) -> Iterator[Node]:
            Counted.searches += 1
            return super().__iter__()

    searches = []
    for width in (2, 20):
        nodes = Counted(Node(None, 1, f"▁{n}", -n, "kept") for n in range(width))
        Counted.searches = 0
        assert len(tree_lines(SearchTree("s", "", nodes, ()), 0)) == width + 3
        searches.append(Counted.searches)
    assert searches[0] == searches[1]


def test_the_table_ranks_by_score_and_by_the_sum_alone() -> None:
    longer = Finish(7, "a c d", 4, -0.7, -0.175, -0.175, None)
    headings, rows = finish_rows(SearchTree("s", "", NODES, (longer, *FINISHES)))
    assert headings == ["rank", "sum", "by sum", "length", "score", "covered", "hypothesis"]
    assert rows[0] == ["1", "-0.70", "2", "4", "-0.1750", "", "a c d"]
    assert rows[1] == ["2", "-0.60", "1", "3", "-0.2000", "50%", "a c"]


def test_another_rule_that_changed_a_score_has_a_column() -> None:
    other = Finish(6, "a c", 3, -0.6, -0.2, -0.3, None)
    headings, rows = finish_rows(SearchTree("s", "", NODES, (other,)))
    assert headings[4:6] == ["by length", "other"]
    assert rows[0][4:7] == ["-0.2000", "-0.1000", "-0.3000"]


def test_the_document_has_everything() -> None:
    document = json.loads(json.dumps(tree_document(TREE)))
    assert len(document["nodes"]) == len(NODES)
    assert document["ended"][0]["node"] == 6


def test_hostile_pieces_are_harmless() -> None:
    nodes = (Node(None, 1, "\x1b[31m", -1.0, "kept"),)
    (_, line, *_) = tree_lines(SearchTree("s", "", nodes, ()), 0)
    assert "\x1b" not in line.plain
