"""What the page is told of a translation and of a search."""

import numpy as np

from s2scli.data.stream import Line
from s2scli.report.search_tree import Finish, Node, SearchTree
from s2scli.serve.insight import record_document, search_document
from s2scli.translation.options import Options, Wanted
from tests.translation.stub import StubEngine, stub_translator


def test_a_record_has_its_maps() -> None:
    options = Options(StubEngine().settings.model_copy(update={"n_best": 2}), wanted=Wanted(True))
    (record,) = stub_translator().translate([Line("", 1, "a dog")], options)
    document = record_document(record)
    best, other = document["hypotheses"]
    assert (best["text"], other["text"], best["score"]) == ("A DOG", "A DOG!", -0.5)
    attention = best["attention"]
    assert attention["target_pieces"] == ["A", "DOG", "</s>"]
    assert np.array(attention["heads"]).shape == (1, 1, 3, 3)
    assert np.array_equal(attention["weights"], np.eye(3))
    assert [(word["start"], word["stop"]) for word in attention["target_words"]] == [
        (0, 1),
        (1, 2),
        (2, 3),
    ]


def test_without_attention_there_are_no_maps() -> None:
    (record,) = stub_translator().translate([Line("", 1, "a")], Options(StubEngine().settings))
    assert record_document(record)["hypotheses"][0]["attention"] is None
    (empty,) = stub_translator().translate([Line("", 1, " ")])
    assert record_document(empty)["hypotheses"] == []


def test_a_search_is_a_list_of_lines_with_depths() -> None:
    nodes = (
        Node(None, 1, "▁A", -0.25, "kept"),
        Node(None, 1, "▁B", -2.0, "pruned"),
        Node(0, 2, "</s>", -0.5, "ended", -0.25),
    )
    tree = SearchTree("a", "beam size 1", nodes, (Finish(2, "A", 2, -0.5, -0.25, -0.25, None),))
    found = search_document(tree)
    assert [line["depth"] for line in found["lines"]] == [0, 1]
    assert found["lines"][0]["not"] == ["B"]
    assert found["lines"][1]["fate"] == "■ rank 1, score -0.2500"
    assert found["ended"] == [{"text": "A", "log_prob": -0.5, "score": -0.25}]
