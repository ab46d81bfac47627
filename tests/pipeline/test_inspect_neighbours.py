"""The nearest training sources, against a plain loop over all of them."""

from pathlib import Path

import pytest
import torch

from s2scli.data.store import Corpus
from s2scli.pipeline import inspect_neighbours as module
from s2scli.pipeline.inspect_neighbours import Neighbour, _add, _best, inspect_neighbours
from s2scli.report.console import Talk
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.translation.model_folder import load_model_folder
from s2scli.workspace import Workspace

SENTENCE = "one seven two"


def by_hand(workspace: Path) -> list[tuple[str, float]]:
    """The cosine of each training source, one at a time."""
    loaded = load_model_folder(workspace / "model", torch.device("cpu"))
    source = loaded.tokenizers.source
    assert isinstance(source, SentencePiece)

    def state(text: str) -> torch.Tensor:
        ids = torch.tensor([[*source.encode(text), 3]])
        with torch.inference_mode():
            return loaded.model.encode(ids, torch.tensor([ids.shape[1]])).memory[0].mean(0)

    query = state(SENTENCE)
    rows = Corpus.load(workspace / "corpus").open_split("train")
    cosine = torch.nn.functional.cosine_similarity
    found = [(row.source, float(cosine(state(row.source), query, dim=0))) for row in rows]
    return sorted(found, key=lambda pair: -pair[1])


def test_they_are_those_of_a_plain_loop_in_windows_of_any_size(
    trained_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = by_hand(trained_workspace)[:6]
    for rows in (7, 4096):
        monkeypatch.setattr(module, "ROWS", rows)
        found = inspect_neighbours(
            Workspace(trained_workspace), None, SENTENCE, 6, "cpu", Talk(quiet=True)
        )
        assert [one.cosine for one in found.nearest] == pytest.approx(
            [cosine for _, cosine in expected], abs=1e-5
        )
        assert found.nearest[0].source == expected[0][0]
        assert found.left_out == 0


def test_a_repeated_source_is_one_neighbour_with_its_targets() -> None:
    nearest: dict[str, Neighbour] = {}
    for number, target in enumerate(["x", "y", "x", "z", "more"], 1):
        _add(nearest, 0.5, number, "a", target)
    assert nearest["a"] == Neighbour(0.5, 1, "a", ("x", "y", "z"))
    _add(nearest, 0.75, 6, "b", "w")
    _add(nearest, 0.5, 7, "c", "w")
    assert list(_best(nearest, 2)) == ["b", "a"]


def test_rows_that_are_too_long_are_left_out(
    trained_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = module._States.compare

    def short(
        self: module._States, sources: list[str], query: torch.Tensor
    ) -> tuple[list[int], list[float]]:
        return compare(module._States(self.model, self.codec, 1), sources, query)

    monkeypatch.setattr(module._States, "compare", short)
    found = inspect_neighbours(
        Workspace(trained_workspace), None, SENTENCE, 6, "cpu", Talk(quiet=True)
    )
    assert (found.searched, found.nearest) == (0, ())
    assert found.left_out > 0
