"""`s2s translate`: a filter that writes one record for each line, in order."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2scli.data.stream import StreamSettings
from s2scli.errors import CheckpointError, MissingInputError, UsageError
from s2scli.manifest import read_manifest
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.translation.filter import Tally, run_filter
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import RecordFormat, plain_record
from s2scli.translation.translator import Translator

NEAR_ZERO = {"bleu": 1.0, "chrf": 10.0, "exact_match": 1.0}  # chrF of unrelated text is not 0


@dataclass(frozen=True)
class TranslateRequest:
    """What to translate, and what to write of it.

    Attributes:
        inputs: files, plain or gzip; `-` is stdin.
        output: the file to write; None is stdout.
        settings: of the search.
        stream: how lines are read and gathered.
        record_format: how a record is written.
        attention: whether the records show what the decoder attended to.
    """

    inputs: Sequence[Path]
    output: Path | None
    settings: SearchSettings
    stream: StreamSettings
    record_format: RecordFormat
    attention: bool = False

    @property
    def options(self) -> Options:
        """How the lines are translated; scores are shown by all but plain records."""
        wanted = Wanted(self.attention, scores=self.record_format is not plain_record)
        return Options(self.settings, self.stream.overlong, wanted, self.stream.window)


def translate(translator: Translator, request: TranslateRequest, talk: Talk) -> Tally:
    """Translate files (or stdin for `-`) line by line, into a file or to stdout.

    Lines that came before an error are written to stdout; a file appears only when it is whole.

    Raises:
        MissingInputError: an input is not there.
        CorpusError: an input is damaged, or a line is refused (`stream.strict`,
            `stream.overlong`).
        StorageError: the output cannot be written; an existing file is not changed.
    """
    return run_filter(
        request.inputs,
        request.output,
        request.stream,
        functools.partial(translator.translate, options=request.options),
        request.record_format,
        talk,
    )


def warn_of_untrained(folders: Iterable[Path], talk: Talk) -> None:
    """Warn of each model that was never trained, or whose validation scores are near zero."""
    for folder in folders:
        try:
            facts = read_manifest(folder, "model").facts
        except (CheckpointError, MissingInputError):
            continue  # an export, or the damage that loading it tells
        fault = _untrained(facts)
        if fault:
            talk.warn(f"{folder}: {fault}; train it (longer): s2s train")


def _untrained(facts: Mapping[str, Any]) -> str:
    """Return why the outputs of a model with these facts are useless, or ""."""
    if facts.get("step") == 0:
        return "a model of step 0, which was not trained: its outputs mean nothing"
    scores = facts.get("scores")
    if not isinstance(scores, dict):
        return ""
    for name, low in NEAR_ZERO.items():
        if not (isinstance(scores.get(name), float | int) and scores[name] < low):
            return ""
    listed = ", ".join(f"{name} {scores[name]:.1f}" for name in NEAR_ZERO)
    return f"its validation scores are near zero ({listed}): expect poor outputs"


def require_attention(translator: Translator) -> None:
    """Check that the model has attention to align words by.

    Raises:
        UsageError: the model has no attention; of an ensemble, the first model.
    """
    if not translator.has_attention:
        from s2scli.pipeline.inspect_recipe import recipes_with_attention

        raise UsageError(
            "--alignment: the (first) model has no attention to align words by; "
            f"recipes that have it: {', '.join(recipes_with_attention())}"
        )
