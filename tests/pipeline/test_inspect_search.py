"""The tree of a real search: what it ended, covered and left."""

from pathlib import Path

import pytest

from s2scli.data.stream import Line
from s2scli.errors import CorpusError, UsageError
from s2scli.pipeline.inspect_search import inspect_search, read_sentence
from s2scli.search.ranking import normalise
from s2scli.settings import Tree
from s2scli.translation import torch_engine
from s2scli.translation.options import Options
from tests.cli.inspecting import LETTERS
from tests.folders import write_model
from tests.translation.stub import stub_translator


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tree") / "model", LETTERS, scale=3.0)


def test_the_scores_are_those_of_the_length_penalty(folder: Path) -> None:
    changes: Tree = {"max_length": 8, "length_penalty": 0.7, "n_best": 2}
    tree = inspect_search([folder], "A dog", changes, "cpu")
    for finish in tree.finishes:
        node = tree.nodes[finish.node]
        assert (node.fate, node.score, node.step) == ("ended", finish.score, finish.length)
        assert finish.score == pytest.approx(normalise(finish.log_prob, finish.length, 0.7))
        assert finish.score == pytest.approx(finish.by_length)
    covered = [finish for finish in tree.finishes if finish.coverage is not None]
    assert covered == list(tree.finishes[:2])
    assert all(0 < (finish.coverage or 0) <= 1 for finish in covered)


def test_an_ensemble_is_searched_as_one(folder: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", LETTERS, scale=3.0, seed=2)
    changes: Tree = {"max_length": 6}
    both = inspect_search([folder, other], "A dog", changes, "cpu")
    alone = inspect_search([folder], "A dog", changes, "cpu")
    assert both.nodes != alone.nodes
    translator = torch_engine.load(folder, other, device="cpu")
    options = Options(translator.settings(changes))
    (record,) = translator.translate([Line("f", 1, "A dog")], options)
    assert record.text == both.finishes[0].text


def test_a_sentence_that_does_not_fit_is_refused() -> None:
    translator = stub_translator()
    assert len(read_sentence(translator, "a b")) == 2
    with pytest.raises(UsageError, match="empty"):
        read_sentence(translator, " ")
    with pytest.raises(CorpusError, match="too long"):
        read_sentence(translator, "w " * 99)
