from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.example import TokenIds
from s2scli.errors import CheckpointError, CorpusError
from s2scli.pipeline.inspect_attention import inspect_attention
from s2scli.report.console import Talk
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import EOS_ID
from s2scli.translation import torch_engine
from s2scli.translation.options import Wanted
from s2scli.translation.translator import Translator
from tests.translation.stub import StubEngine, stub_translator

Weights = list[list[float]] | None


@dataclass
class Oracle(StubEngine):
    """An engine whose attention is given; without it nothing is found."""

    weights: Weights = None

    def search(
        self,
        sources: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
    ) -> list[tuple[Hypothesis, ...]]:
        if self.weights is None:
            return [()]
        attention = np.array(self.weights, np.float32)[:, None]
        ids = (*self.codec.encode("x").tolist(), EOS_ID)
        return [(Hypothesis(ids, -1.0, (-0.5, -0.5), attention),)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text("{}")
    return tmp_path


def use(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(folder: Path, device: str) -> Translator:
        return stub_translator(Oracle(weights=weights))

    monkeypatch.setattr(torch_engine, "load", load)


def test_the_best_hypothesis_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use([[0.75, 0.25], [0.0, 1.0]], monkeypatch)
    found = inspect_attention(folder, "a", None, "cpu", Talk())
    assert found.target_pieces == ("x", "</s>")
    assert found.weights.tolist() == [[[[0.75, 0.25], [0.0, 1.0]]]]


def test_the_bytes_of_a_character_are_one_column(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use([[0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 0.0, 1.0]], monkeypatch)
    found = inspect_attention(folder, "<0xE4> <0xBD> <0xA0>", None, "cpu", Talk())
    assert found.source_pieces == ("你", "</s>")
    assert found.weights.tolist() == [[[[0.75, 0.25], [0.0, 1.0]]]]


def test_weights_that_are_not_numbers_are_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use([[float("nan"), 0.0], [0.0, 1.0]], monkeypatch)
    with pytest.raises(CheckpointError, match="not finite"):
        inspect_attention(folder, "a", None, "cpu", Talk())


def test_a_search_that_finds_nothing_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(None, monkeypatch)
    with pytest.raises(CorpusError, match="--target"):
        inspect_attention(folder, "a", None, "cpu", Talk())


def test_a_text_that_the_model_fails_at_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use([[1.0]], monkeypatch)
    monkeypatch.setattr(Oracle, "search", StubEngine.search)
    with pytest.raises(
        CorpusError, match="the model cannot process this text: RuntimeError: the net"
    ):
        inspect_attention(folder, "boom", None, "cpu", Talk())


def test_a_text_that_is_too_long_is_shown_in_parts_and_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use([[1.0]], monkeypatch)
    monkeypatch.setattr(Oracle, "search", StubEngine.search)
    text = "one two  three four. five six seven eight nine"
    found = inspect_attention(folder, text, None, "cpu", Talk())
    assert "too long for the model: translated in parts" in " ".join(
        capsys.readouterr().err.split()
    )
    assert found.source == text, "as it was given"
    assert found.source_pieces.count("</s>") == 2


def test_a_target_that_is_too_long_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use([[1.0]], monkeypatch)
    with pytest.raises(CorpusError, match="the target has 9 tokens, the model accepts at most 8"):
        inspect_attention(folder, "a", "b " * 9, "cpu", Talk())
