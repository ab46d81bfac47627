"""What a request asks of the translator, and what is written of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from s2scli.data.example import TokenIds
from s2scli.data.stream import StreamSettings
from s2scli.errors import CorpusError, UsageError
from s2scli.manifest import new_folder
from s2scli.pipeline.translate import (
    TranslateRequest,
    translate,
    warn_of_untrained,
)
from s2scli.report.console import Talk
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.translation.demands import require_attention
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import (
    RecordFormat,
    moses_record,
    plain_record,
)
from tests.translation.stub import StubEngine, stub_translator

QUIET = Talk(quiet=True)


@dataclass
class Listener(StubEngine):
    """A stub that keeps what it was asked."""

    asked: list[tuple[SearchSettings, Wanted]] = field(default_factory=list)

    def search(
        self,
        sources: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
    ) -> list[tuple[Hypothesis, ...]]:
        self.asked.append((settings, wanted))
        return super().search(sources, settings, wanted)


def request_of(
    folder: Path,
    text: str,
    stream: StreamSettings | None = None,
    record_format: RecordFormat = plain_record,
    settings: SearchSettings | None = None,
    *,
    attention: bool = False,
) -> TranslateRequest:
    (folder / "lines").write_text(text)
    read = stream or StreamSettings()
    wanted = Wanted(attention, scores=record_format is not plain_record)
    options = Options(settings or SearchSettings(), read.overlong, wanted, read.window)
    return TranslateRequest([folder / "lines"], folder / "out", options, read, record_format)


@pytest.mark.parametrize("attention", [False, True])
def test_the_engine_is_asked_for_what_is_wanted(tmp_path: Path, attention: bool) -> None:
    engine, settings = Listener(), SearchSettings(beam_size=3, n_best=2)
    request = request_of(tmp_path, "a\n", None, moses_record, settings, attention=attention)
    translate(stub_translator(engine), request, QUIET)
    assert engine.asked == [(settings, Wanted(attention, scores=True))]


def test_an_unfinished_dialogue_is_not_kept_for_a_resume_that_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = StreamSettings(window=1, overlong="error")
    request = replace(request_of(tmp_path, "a\nb b b b\n", stream), history=2)
    with pytest.raises(CorpusError, match="too long"):
        translate(stub_translator(StubEngine(max_source_tokens=3)), request, Talk())
    assert [path.name for path in tmp_path.iterdir()] == ["lines"]
    assert "--resume" not in capsys.readouterr().err


def test_a_window_of_lines_is_searched_together_and_every_line_has_its_record(
    tmp_path: Path,
) -> None:
    engine = StubEngine()
    request = request_of(tmp_path, "a\n\nb\nc\nd", StreamSettings(window=2, max_wait=60_000))
    tally = translate(stub_translator(engine), request, QUIET)
    assert engine.batches == [["a"], ["b", "c"], ["d"]]
    assert (tmp_path / "out").read_text() == "A\n\nB\nC\nD\n"
    assert (tally.lines, tally.empty, tally.failed.count) == (5, 1, 0)


@pytest.mark.parametrize("stream", [{"overlong": "error"}, {"strict": True}])
def test_a_line_that_is_refused_leaves_what_is_there(
    tmp_path: Path, stream: dict[str, object]
) -> None:
    request = request_of(tmp_path, "", StreamSettings.model_validate(stream))
    (tmp_path / "lines").write_bytes(b"a\n" + b"a " * 9 + b"\xff\n")
    (tmp_path / "out").write_text("mine")
    with pytest.raises(CorpusError, match="line 2"):
        translate(stub_translator(), request, QUIET)
    assert (tmp_path / "out").read_text() == "mine"


def test_a_line_that_fails_is_counted_and_does_no_harm(tmp_path: Path) -> None:
    tally = translate(stub_translator(), request_of(tmp_path, "a\nboom\nb\n"), QUIET)
    assert tally.failed.first == {str(tmp_path / "lines"): [2]}
    assert (tmp_path / "out").read_text() == "A\n\nB\n"


def test_words_are_aligned_by_attention_only() -> None:
    require_attention(stub_translator(), ["--alignment"])
    with pytest.raises(UsageError, match=r"--alignment needs attention.*bahdanau2015") as raised:
        require_attention(stub_translator(StubEngine(attention_shape=None)), ["--alignment"])
    assert "vae" not in str(raised.value)


ZEROS = {"bleu": 0.0, "chrf": 3.1, "exact_match": 0.0}


@pytest.mark.parametrize(
    ("facts", "warning"),
    [
        ({"step": 0, "scores": ZEROS}, "the model is untrained (step 0): "),
        ({"step": 9, "scores": ZEROS}, "near zero (bleu 0.0, chrf 3.1, exact_match 0.0): "),
        ({"step": 9, "scores": ZEROS | {"chrf": 12.0}}, ""),
        ({"step": 9, "scores": ZEROS | {"exact_match": 80.0}}, ""),
        ({"step": 9, "scores": ZEROS | {"bleu": None}}, ""),
        ({"step": 9, "scores": {"bleu": 0.0}}, ""),
        ({"step": 9, "scores": "none"}, ""),
        ({"step": 9, "scores": {"wer": 100.0, "cer": 95.0}}, "near 100 % (wer 100.0, cer 95.0): "),
        ({"step": 9, "scores": {"wer": 100.0, "cer": 94.9}}, ""),
        ({"step": 9, "scores": {"wer": 94.9, "cer": 120.0}}, ""),
        ({"step": 9, "scores": {"wer": 100.0}}, ""),
        ({"step": 9, "scores": {"loss": 9.0, "perplexity": 99.0, "token_accuracy": 0.0}}, ""),
        ({}, ""),
    ],
)
def test_a_model_that_learned_nothing_is_warned_of(
    facts: dict[str, Any], warning: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with new_folder(tmp_path / "model", "model") as draft:
        draft.facts = facts
    warn_of_untrained([tmp_path / "model", tmp_path / "no model"], QUIET)
    shown = capsys.readouterr().err
    assert shown.count("\n") == (1 if warning else 0)
    assert warning in shown
