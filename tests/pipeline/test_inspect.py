from pathlib import Path

import numpy as np
import pytest
from s2scli.pipeline.inspect import inspect_attention, recipes_with_attention
from s2scli.pipeline.translation import TargetText, Translation
from s2scli.pipeline.translator import Translator

from s2scli.errors import CheckpointError, CorpusError
from s2scli.search.settings import SearchSettings


class Oracle:
    """A translator whose attention is given."""

    has_attention = True
    search_settings = SearchSettings()

    def __init__(self, weights: list[list[float]] | None) -> None:
        self.weights = weights

    def search(self, texts: list[str], settings: SearchSettings) -> list[Translation]:
        if self.weights is None:
            return [Translation(texts[0], ("▁a", "</s>"), ())]
        attention = np.array(self.weights, np.float32)[:, None]
        found = TargetText("x", -1.0, ("▁x", "</s>"), (-0.5, -0.5), attention)
        return [Translation(texts[0], ("▁a", "</s>"), (found,))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text("{}")
    return tmp_path


def use(weights: list[list[float]] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Translator, "load", lambda folder, device: Oracle(weights))


def test_the_best_hypothesis_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use([[0.75, 0.25], [0.0, 1.0]], monkeypatch)
    found = inspect_attention(folder, "a")
    assert found.target_pieces == ("▁x", "</s>")
    assert found.weights.tolist() == [[[[0.75, 0.25], [0.0, 1.0]]]]


def test_weights_that_are_not_numbers_are_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use([[float("nan"), 0.0], [0.0, 1.0]], monkeypatch)
    with pytest.raises(CheckpointError, match="not numbers"):
        inspect_attention(folder, "a")


def test_a_search_that_finds_nothing_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(None, monkeypatch)
    with pytest.raises(CorpusError, match="--target"):
        inspect_attention(folder, "a")


def test_recipes_are_told_apart_by_their_attention() -> None:
    names = recipes_with_attention()
    assert {"bahdanau2015", "luong2015"} <= set(names)
    assert {"elman", "sutskever2014", "cho2014"}.isdisjoint(names)
