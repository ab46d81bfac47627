from collections.abc import Sequence
from pathlib import Path

import pytest

from s2scli.errors import UsageError
from s2scli.metrics.settings import MetricSettings
from s2scli.pipeline.evaluate import EvaluateRequest, Texts, evaluate, evaluate_model
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree
from s2scli.workspace import Workspace
from tests.stub_translator import StubTranslator

BARE = MetricSettings(resamples=0)


def test_a_model_is_loaded_only_where_it_is_needed(tmp_path: Path) -> None:
    def load(workspace: Workspace, models: Sequence[Path], device: str) -> StubTranslator:
        raise AssertionError("loaded")

    (tmp_path / "lines").write_text("a b c d\n")
    request = EvaluateRequest(
        ("bleu",), hypothesis=tmp_path / "lines", reference=tmp_path / "lines"
    )
    talk = Talk(quiet=True)
    found = evaluate(Workspace(tmp_path), request, {}, BARE, talk, load)
    assert found.scores[0].value == pytest.approx(100.0)


def test_the_search_is_the_models_but_for_what_was_given(tmp_path: Path) -> None:
    def load(workspace: Workspace, models: Sequence[Path], device: str) -> StubTranslator:
        assert (workspace.root, models, device) == (tmp_path, (tmp_path / "m",), "cpu")
        return StubTranslator(search_settings=SearchSettings(length_penalty=0.25))

    (tmp_path / "lines").write_text("a\n")
    request = EvaluateRequest(
        ("exact_match",),
        source=tmp_path / "lines",
        reference=tmp_path / "lines",
        models=(tmp_path / "m",),
        device="cpu",
    )
    given: Tree = {"beam_size": 2}
    found = evaluate(Workspace(tmp_path), request, given, BARE, Talk(quiet=True), load)
    assert (found.search["beam_size"], found.search["length_penalty"]) == (2, 0.25)


def test_all_sentences_are_translated_together_and_in_order() -> None:
    sources = tuple(f"s{number}" for number in range(1200))
    texts = Texts("test split", sources, tuple(source.upper() for source in sources))
    stub = StubTranslator()
    request = EvaluateRequest(("exact_match",))
    found = evaluate_model(texts, stub, SearchSettings(), request, BARE, Talk(quiet=True))
    assert found.scores[0].value == 100.0
    assert len(stub.batches) == 3
    assert found.speed is not None
    assert found.speed.sentences_per_second == pytest.approx(1200 / found.speed.seconds)


def test_a_request_that_makes_no_sense_is_refused_before_anything_is_read() -> None:
    request = EvaluateRequest(
        ("perplexity",), hypothesis=Path("nowhere"), reference=Path("nowhere")
    )
    with pytest.raises(UsageError, match="--perplexity needs a model"):
        evaluate(Workspace(Path("nowhere")), request, {}, BARE, Talk(quiet=True))
