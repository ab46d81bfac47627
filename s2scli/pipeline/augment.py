"""`s2s augment`: make the rows of a corpus from text, a model and noise."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from s2scli.data.cleaning import is_blank
from s2scli.data.settings import AugmentSettings
from s2scli.data.stream import Line, StreamSettings
from s2scli.data.surface_noise import noisy, random_for
from s2scli.metrics.chrf import sentence_chrf
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.translation.filter import Answer, run_filter
from s2scli.translation.options import Options, Wanted
from s2scli.translation.outputs import Resuming
from s2scli.translation.pairs import failed, pair_of
from s2scli.translation.records import Clean, Record, Status
from s2scli.translation.translator import Translator


@dataclass(frozen=True)
class AugmentRequest:
    """What to make rows of, and how.

    Attributes:
        inputs: the files of lines or pairs, plain or compressed; `-` is stdin.
        originals: TSV files whose rows are copied in front.
        output: the file to write; None writes to stdout.
        settings: the method, the tag and the noise.
        search: the settings of the search; None if there is no model.
        stream: how the lines are read.
        resume: whether to continue an unfinished output file.
    """

    inputs: Sequence[Path]
    originals: Sequence[Path]
    output: Path | None
    settings: AugmentSettings
    search: SearchSettings | None
    stream: StreamSettings
    resume: bool = False

    def resuming(self, translator: Translator | None) -> Resuming:
        """Return what the rows depend on, so that only the same rows are continued."""
        options = {
            **self.settings.model_dump(mode="json"),
            "overlong": self.stream.overlong,
            "format": self.stream.input_format,
            "fields": [self.stream.source_field, self.stream.target_field],
            "with": [str(path) for path in self.originals],
            "search": self.search.model_dump(mode="json") if self.search else None,
        }
        return Resuming(translator.identity if translator else (), options, self.resume)


@dataclass(frozen=True)
class Augmented:
    """Every row accounted for: rows = copied + made + empty + failed.

    Attributes:
        rows: the number of rows written, one for each line read.
        copied: rows of the corpus in front.
        made: rows made of a line.
        empty: lines that are blank, or too long and left out, or whose row has a blank side, as
            the model wrote nothing; their rows are empty.
        failed: lines that are no pair, or that the model could not translate; likewise.
        overlong: made rows whose line was too long for the model, and was translated in parts.
    """

    rows: int
    copied: int
    made: int
    empty: int
    failed: int
    overlong: int

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document."""
        return asdict(self)


def augment(translator: Translator | None, request: AugmentRequest, talk: Talk) -> Augmented:
    """Copy the rows of the originals, make a row of each line, and account for all of them.

    The noise of a row depends only on the seed and the number of its line.

    Args:
        translator: the model; None for method noise.
        request: what to make rows of, and how.
        talk: says what was made, and warns of lines without a row.

    Raises:
        ConfigError: the unfinished output was made in another way.
        CorpusError: a file is damaged, or `stream.strict` or `stream.overlong` rejects a line.
        LockedError: another process writes the output.
        StorageError: the output cannot be written; an existing file is not changed.
    """
    tally = run_filter(
        request.inputs,
        request.output,
        request.stream,
        _method(translator, request),
        functools.partial(_row, request.settings),
        talk,
        "made into a row",
        copied=request.originals,
        pairs=request.settings.method not in ("back-translate", "forward-translate"),
        resuming=request.resuming(translator),
    )
    missing = tally.empty + tally.failed.count
    return Augmented(
        tally.lines,
        tally.copied,
        tally.lines - tally.copied - missing,
        tally.empty,
        tally.failed.count,
        tally.overlong.count,
    )


def _method(translator: Translator | None, request: AugmentRequest) -> Answer:
    """Return what makes records, with a source and a target, of a window of lines."""
    if translator is None or request.search is None:
        return lambda window: _sided(_read_pairs(window))
    options = Options(request.search, request.stream.overlong, Wanted(), request.stream.window)
    translate = functools.partial(translator.translate, options=options)
    method = TRANSLATING[request.settings.method]
    return lambda window: _sided(method(translate, window))


def _sided(records: Iterator[Record]) -> Iterator[Record]:
    """Yield the records; those with a blank side are empty, as a tag makes no pair of them."""
    for record in records:
        half = record.status == "ok" and (is_blank(record.source) or is_blank(record.target))
        yield replace(record, status="empty") if half else record


def _read_pairs(window: Sequence[Line]) -> Iterator[Record]:
    """Yield the record of each pair, unchanged."""
    for pair in map(pair_of, window):
        if pair.fault and (pair.line.fault or not is_blank(pair.line.text)):
            yield failed(pair, pair.fault)
        else:
            status: Status = "empty" if is_blank(pair.source) else "ok"
            yield Record(pair.line, status, pair.source, pair.target)


def _back(translate: Answer, window: Sequence[Line]) -> Iterator[Record]:
    for record in translate(window):
        yield replace(record, source=record.text, target=record.line.text)


def _forward(translate: Answer, window: Sequence[Line]) -> Iterator[Record]:
    for record in translate(window):
        yield replace(record, source=record.line.text, target=record.text)


def _distil(translate: Answer, window: Sequence[Line]) -> Iterator[Record]:
    """Yield the record of each pair, with the output that is nearest to the target.

    A pair without an output is empty or failed, as its source is.
    """
    pairs = list(_read_pairs(window))
    outputs = translate([replace(pair.line, text=pair.source) for pair in pairs])
    for pair, record in zip(pairs, outputs, strict=True):
        if pair.status != "ok":
            yield pair
            continue
        texts = [one.text for one in record.hypotheses]
        target = nearest(texts, pair.target) if texts else ""
        yield replace(record, line=pair.line, source=pair.source, target=target)


def nearest(texts: Sequence[str], target: str) -> str:
    """Return the text with the highest sentence-level chrF2; the first one of equals.

    This is the local updating of Kim & Rush 2016, section 3.3, with chrF instead of BLEU.
    """
    if len(texts) == 1:
        return texts[0]
    scores = sentence_chrf(texts, [target] * len(texts))
    return texts[scores.index(max(scores))]


def _row(settings: AugmentSettings, index: int, record: Record, clean: Clean) -> str:
    """Return source TAB target, or the copied row; empty if the line has no row."""
    if record.status == "copied":
        return "\t".join(map(clean, record.line.text.split("\t")))
    if record.status != "ok":
        return ""
    source = noisy(record.source, settings, random_for(settings.noise_seed, record.line.number))
    tag = f"{settings.tag} " if settings.tag and settings.method == "back-translate" else ""
    return f"{tag}{clean(source)}\t{clean(record.target)}"


TRANSLATING: Mapping[str, Callable[[Answer, Sequence[Line]], Iterator[Record]]] = {
    "back-translate": _back,
    "forward-translate": _forward,
    "distil": _distil,
}
