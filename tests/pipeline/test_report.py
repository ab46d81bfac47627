"""What `s2s report` collects, for other sides than text and for parts of a workspace."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from s2scli.data.stream import Line
from s2scli.errors import MissingInputError
from s2scli.metrics.settings import MetricSettings
from s2scli.pipeline.evaluate import evaluate
from s2scli.pipeline.evaluate_request import EvaluateRequest
from s2scli.pipeline.report import ReportRequest, report
from s2scli.report.console import Talk
from s2scli.translation import torch_engine
from s2scli.translation.options import Options
from s2scli.translation.records import Record
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

QUIET = Talk(quiet=True)


def test_sound_has_scores_and_attention_but_no_errors(tone_workspace: Path) -> None:
    workspace = Workspace(tone_workspace)
    found = report(workspace, ReportRequest(split="valid", sentences=1), QUIET)
    asked = EvaluateRequest((), "valid")
    scores = evaluate(workspace, asked, {}, MetricSettings(), QUIET).scores
    assert found.evaluation and found.evaluation.scores == scores
    assert found.errors is None
    assert [one.source_axis for one in found.attention] == ["seconds"]
    assert "--source-kind audio" in found.commands[0]
    assert found.commands[2:] == ("s2s train --recipe recipe.toml", "s2s evaluate --split valid")


def test_no_sentences_means_no_attention(trained_workspace: Path) -> None:
    found = report(Workspace(trained_workspace), ReportRequest(sentences=0, worst=2), QUIET)
    assert found.attention == ()
    assert found.errors and len(found.errors.worst) == 2
    assert found.errors.scored == "test split"


def test_a_sentence_without_a_translation_has_no_map(
    trained_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translate = Translator.translate

    def failing(self: Translator, lines: Iterable[Line], options: Options) -> Iterator[Record]:
        for record in translate(self, lines, options):
            fails = record.line.text.startswith("one")
            yield Record(record.line, "failed", fault="it failed") if fails else record

    monkeypatch.setattr(Translator, "translate", failing)
    found = report(Workspace(trained_workspace), ReportRequest(sentences=100), QUIET)
    assert found.evaluation and found.evaluation.failed
    missing = [one for one in found.evaluation.examples if not one.sentence.output]
    assert 0 < len(missing) < len(found.evaluation.examples)
    assert len(found.attention) == len(found.evaluation.examples) - len(missing)


def test_a_corpus_is_needed(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no corpus here"):
        report(Workspace(tmp_path), ReportRequest(), QUIET)


def test_the_model_is_loaded_once(trained_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Path] = []
    load = torch_engine.load

    def counting(folder: Path, *others: Path, **options: Any) -> Translator:
        loaded.append(folder)
        return load(folder, *others, **options)

    monkeypatch.setattr(torch_engine, "load", counting)
    found = report(Workspace(trained_workspace), ReportRequest(sentences=1), QUIET)
    assert found.evaluation and found.errors and len(found.attention) == 1
    assert loaded == [trained_workspace / "model"]
