"""`s2s translate`: a filter that writes one record per input line, in order."""

import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2scli.data.stream import Line, StreamSettings
from s2scli.errors import CheckpointError, MissingInputError
from s2scli.manifest import read_manifest
from s2scli.pipeline.pictures import PictureFolder, digits_for, require_folder
from s2scli.report.console import Talk
from s2scli.translation.constraints import digest_of
from s2scli.translation.dialogue import Dialogue
from s2scli.translation.filter import Answer, run_filter
from s2scli.translation.options import Options
from s2scli.translation.outputs import Resuming
from s2scli.translation.records import Record, RecordFormat
from s2scli.translation.tally import Tally
from s2scli.translation.translator import Translator

NEAR_ZERO = {"bleu": 1.0, "chrf": 10.0, "exact_match": 1.0}  # unrelated texts have chrF above 0
NEAR_100 = {"wer": 95.0, "cer": 95.0}  # error rates; a model can make more errors than 100 %
POOR = "expect poor outputs"


@dataclass(frozen=True)
class TranslateRequest:
    """The inputs, the output and the settings of a translation.

    Attributes:
        inputs: input files, plain or gzip; `-` is stdin.
        output: the file to write; None writes to stdout.
        options: how to translate.
        stream: the settings for reading lines and grouping them into windows.
        record_format: the function that formats a record.
        many: whether each line may have several outputs.
        files: whether the inputs are recordings or pictures themselves.
        shape: the name of the record format, with its options.
        resume: whether to continue an unfinished output file.
        history: each line is a turn of a dialogue, and is answered with this many turns as the
            source; None translates each line by itself.
    """

    inputs: Sequence[Path]
    output: Path | None
    options: Options
    stream: StreamSettings
    record_format: RecordFormat
    many: bool = False
    files: bool = False
    shape: str = "text"
    resume: bool = False
    history: int | None = None

    def resuming(self, translator: Translator) -> Resuming:
        """Return what the records depend on, so that only the same records are continued."""
        asked = self.options
        options = {
            **asked.settings.model_dump(mode="json"),
            "overlong": self.stream.overlong,
            "unit": self.stream.unit,
            "language": self.stream.language,
            "format": self.shape,
            "history": self.history,
        }
        if asked.speller:
            options |= asked.speller.constraints.tree()
        if asked.dictionary is not None:
            options["dictionary"] = digest_of(sorted(asked.dictionary.items()))
        if asked.tag:
            options["tag"] = asked.tag
        return Resuming(translator.identity, options, self.resume)


def translate(translator: Translator, request: TranslateRequest, talk: Talk) -> Tally:
    """Translate files (`-` is stdin) line by line; write to a file or to stdout.

    If an error occurs, stdout already has the lines before it. An output file appears only if all
    lines were written; until then its records are in `F.part`, and `request.resume` continues it.
    That of a dialogue cannot be continued, as a turn depends on the answers before it.

    Raises:
        ConfigError: the unfinished output was made from other lines, by another model or with
            other options.
        LockedError: another process writes the output.
        MissingInputError: an input is missing.
        CorpusError: an input is damaged, or `stream.strict` or `stream.overlong` rejects a line.
        StorageError: the output cannot be written; an existing file is not changed.
    """
    return run_filter(
        request.inputs,
        request.output,
        request.stream,
        _answer(translator, request),
        request.record_format,
        talk,
        files=request.files,
        resuming=None if request.history else request.resuming(translator),
    )


def _answer(translator: Translator, request: TranslateRequest) -> Answer:
    """Return what translates a window of lines, or answers its turns."""
    if request.history:
        return Dialogue(translator, request.options, request.history).answer
    return functools.partial(translator.translate, options=request.options)


def translate_to_folder(
    translator: Translator, request: TranslateRequest, folder: Path, talk: Talk
) -> Tally:
    """Translate files line by line into pictures; write one PNG file for each output.

    A line that fails has no file.

    Raises:
        UsageError: the folder is a file.
        MissingInputError: an input is missing.
        CorpusError: an input is damaged, or `stream.strict` or `stream.overlong` rejects a line.
        StorageError: a picture cannot be written; those before it stay.
    """
    require_folder(folder)
    digits = digits_for(request.inputs, request.stream, files=request.files)
    files = PictureFolder(folder, digits, request.many)
    indices = itertools.count()

    def answer(window: Sequence[Line]) -> Iterator[Record]:
        for record in translator.translate(window, options=request.options):
            files.add(next(indices), [one.text for one in record.hypotheses])
            yield record

    tally = run_filter(
        request.inputs, None, request.stream, answer, None, talk, files=request.files
    )
    files.report(talk)
    return tally


def warn_of_untrained(folders: Iterable[Path], talk: Talk) -> None:
    """Warn about each model that was never trained or has poor validation scores."""
    for folder in folders:
        try:
            facts = read_manifest(folder, "model").facts
        except (CheckpointError, MissingInputError):
            continue  # an export, or a damaged model: loading it reports the damage
        fault = _untrained(facts)
        if fault:
            talk.warn(f"{folder}: {fault}; train it further: s2s train")


def _untrained(facts: Mapping[str, Any]) -> str:
    """Return why a model with these facts gives poor outputs, or "".

    Scores of target pictures (loss and perplexity) say nothing about this.
    """
    if facts.get("step") == 0:
        return "the model is untrained (step 0): its outputs are random"
    scores = facts.get("scores")
    if not isinstance(scores, dict):
        return ""
    known = {name: value for name, value in scores.items() if isinstance(value, float | int)}
    if all(known.get(name, math.inf) < most for name, most in NEAR_ZERO.items()):
        return f"its validation scores are near zero ({_listed(known, NEAR_ZERO)}): {POOR}"
    if all(known.get(name, 0.0) >= least for name, least in NEAR_100.items()):
        return f"its validation error rates are near 100 % ({_listed(known, NEAR_100)}): {POOR}"
    return ""


def _listed(scores: Mapping[str, float], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {scores[name]:.1f}" for name in names)
