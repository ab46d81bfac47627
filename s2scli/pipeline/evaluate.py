"""`s2s evaluate`: score a model on a split or on files, or score outputs that are there."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from s2scli.data.lines import BadLineError, decode_line, open_text
from s2scli.data.stream import LINE_BYTES, Line
from s2scli.errors import CorpusError, UsageError
from s2scli.files import new_file, write_file
from s2scli.manifest import encode_json, read_manifest
from s2scli.metrics import METRICS
from s2scli.metrics.perplexity import perplexity
from s2scli.metrics.score import Score
from s2scli.metrics.settings import MetricSettings
from s2scli.metrics.token_accuracy import token_accuracy
from s2scli.pipeline.lines import Searcher, translate_lines
from s2scli.pipeline.records import one_line
from s2scli.pipeline.translate import load_model, search_settings
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree
from s2scli.workspace import Workspace

FORCED = ("perplexity", "token_accuracy")
TOGETHER = 512  # sentences translated before the next word of progress


@dataclass(frozen=True)
class Request:
    """What to score.

    Attributes:
        metrics: names of METRICS, `perplexity`, `token_accuracy`.
        split: a split of the corpus; test where nothing else is given.
        source: a file to translate.
        hypothesis: a file of outputs, scored without a model.
        reference: the targets that belong to `source` or `hypothesis`.
        output: where to write what the model makes of the sources.
        model: a model folder instead of the workspace's.
        device: where to compute.
    """

    metrics: tuple[str, ...]
    split: str | None = None
    source: Path | None = None
    hypothesis: Path | None = None
    reference: Path | None = None
    output: Path | None = None
    model: Path | None = None
    device: str = "auto"

    def check(self) -> None:
        """Refuse what makes no sense together.

        Raises:
            UsageError: saying what to give instead.
        """
        if self.source and self.hypothesis:
            raise UsageError("give --source (to translate it) or --hypothesis, not both")
        if (self.source or self.hypothesis) and not self.reference:
            given = "--source" if self.source else "--hypothesis"
            raise UsageError(f"{given} needs --reference FILE, the targets as they should be")
        if self.reference and not (self.source or self.hypothesis):
            raise UsageError("--reference needs --source FILE or --hypothesis FILE beside it")
        if self.reference and self.split:
            raise UsageError("give --split, or files, not both")
        forced = [name for name in self.metrics if name in FORCED]
        if self.hypothesis and forced:
            flag = "--" + forced[0].replace("_", "-")
            raise UsageError(f"{flag} needs a model: give --source instead of --hypothesis")
        if self.hypothesis and self.output:
            raise UsageError("-o writes what a model makes of --source; there is only --hypothesis")


class Load(Protocol):
    """How a model is loaded."""

    def __call__(self, workspace: Workspace, model: Path | None, device: str) -> Searcher:
        """Return the model of a folder, or of the workspace."""


@dataclass(frozen=True)
class Texts:
    """Lines that belong together, one for one.

    Attributes:
        name: what they are, for people.
        sources: or outputs, where there is nothing to translate.
        references: the targets as they should be.
    """

    name: str
    sources: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True)
class Speed:
    """How long the search took: wall-clock seconds, and target tokens with end tokens."""

    seconds: float
    sentences_per_second: float
    tokens_per_second: float


@dataclass(frozen=True)
class Evaluation:
    """Scores, and what they are scores of.

    Attributes:
        scored: what was scored, for people.
        sentences: how many pairs there were.
        scores: one for each metric asked for.
        speed: of the search; None where outputs were given.
        failed: how many sentences could not be translated; they count as empty outputs.
        overlong: how many were too long for the model; they were split and joined again.
        search: the settings of the search, by name; empty where outputs were given.
    """

    scored: str
    sentences: int
    scores: tuple[Score, ...]
    speed: Speed | None = None
    failed: int = 0
    overlong: int = 0
    search: Tree = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return asdict(self)


@dataclass(frozen=True)
class Outputs:
    """What a model made of some sources."""

    hypotheses: tuple[str, ...]
    speed: Speed
    failed: int
    overlong: int


def evaluate(
    workspace: Workspace,
    request: Request,
    search: Tree,
    settings: MetricSettings,
    talk: Talk,
    load: Load = load_model,
) -> Evaluation:
    """Score what `request` asks for; the score of the workspace's own model is kept there.

    Args:
        workspace: with the corpus and the model, unless `request` names others.
        request: what to score.
        search: search settings that differ from the model's own.
        settings: of the metrics.
        talk: says how it goes.
        load: loads the model.

    Raises:
        UsageError: the request makes no sense.
        MissingInputError: a file, the corpus or the model is not there.
        CorpusError: a file is damaged, or line counts differ.
        StorageError: something cannot be written.
    """
    request.check()
    if request.hypothesis and request.reference:
        texts = read_files(request.hypothesis, request.reference)
        return evaluate_outputs(texts, request.metrics, settings)
    if request.source and request.reference:
        texts = read_files(request.source, request.reference)
    else:
        texts = read_split(workspace, request.split or "test")
    translator = load(workspace, request.model, request.device)
    found = evaluate_model(
        texts, translator, search_settings(translator, search), request, settings, talk
    )
    if not request.model and not request.source:
        save_evaluation(found, workspace)
    return found


def read_split(workspace: Workspace, split: str) -> Texts:
    """Read one split of the workspace's corpus.

    Raises:
        MissingInputError: there is no corpus or no such split.
        CheckpointError: the corpus is damaged.
        CorpusError: the split is empty.
    """
    from s2scli.data.store import open_split

    found = open_split(workspace.corpus, split)
    if not len(found):
        raise CorpusError(f"{workspace.corpus}: the {split} split has no rows")
    return Texts(f"{split} split", tuple(found.sources()), tuple(found.targets()))


def read_files(sources: Path, references: Path) -> Texts:
    """Read two files, plain or gzip, that belong together line by line.

    Raises:
        MissingInputError: one is not there.
        CorpusError: one is damaged, empty, or not UTF-8; or they have different numbers of lines.
    """
    left, right = tuple(_read_lines(sources)), tuple(_read_lines(references))
    if len(left) != len(right):
        raise CorpusError(
            f"{sources} has {len(left):,} lines and {references} has {len(right):,}; "
            "line k of one must belong to line k of the other"
        )
    return Texts(f"{sources.name} against {references.name}", left, right)


def evaluate_outputs(texts: Texts, metrics: Sequence[str], settings: MetricSettings) -> Evaluation:
    """Score outputs against their references, without a model."""
    return Evaluation(
        texts.name,
        len(texts.sources),
        tuple(METRICS[name](texts.sources, texts.references, settings) for name in metrics),
    )


def evaluate_model(
    texts: Texts,
    translator: Searcher,
    search: SearchSettings,
    request: Request,
    settings: MetricSettings,
    talk: Talk,
) -> Evaluation:
    """Translate, score, and write the outputs to a file if asked to.

    Raises:
        StorageError: the outputs cannot be written.
    """
    found = _translate(texts, translator, search, talk)
    if request.output:
        with new_file(request.output) as file:
            file.writelines(f"{text}\n".encode(errors="replace") for text in found.hypotheses)
    scores = [
        METRICS[name](found.hypotheses, texts.references, settings)
        for name in request.metrics
        if name in METRICS
    ]
    if any(name in FORCED for name in request.metrics):
        scores += _forced_scores(texts, translator, request.metrics, settings)
    return Evaluation(
        texts.name,
        len(texts.sources),
        tuple(scores),
        found.speed,
        found.failed,
        found.overlong,
        search.model_dump(),
    )


def save_evaluation(evaluation: Evaluation, workspace: Workspace) -> None:
    """Write the evaluation of the workspace's model to `evaluation.json`, with its digest.

    Raises:
        StorageError: it cannot be written.
    """
    digest = read_manifest(workspace.model, "model").digest
    document = {"model": digest, **evaluation.as_json()}
    write_file(workspace.root / "evaluation.json", encode_json(document))


def _read_lines(path: Path) -> Iterator[str]:
    with open_text(path) as file:
        for number, line in enumerate(file.lines(LINE_BYTES), 1):
            if line is None:
                raise CorpusError(f"{file.name}, line {number}: longer than {LINE_BYTES:,} bytes")
            try:
                yield decode_line(line)
            except BadLineError as error:
                raise CorpusError(f"{file.name}, line {number}: {error}") from error


def _translate(texts: Texts, translator: Searcher, search: SearchSettings, talk: Talk) -> Outputs:
    lines = [Line(texts.name, number, text) for number, text in enumerate(texts.sources, 1)]
    records = []
    started = time.perf_counter()
    for first in range(0, len(lines), TOGETHER):
        records += translate_lines(lines[first : first + TOGETHER], translator, search)
        talk.detail(f"{len(records):,} of {len(lines):,} sentences translated")
    seconds = max(time.perf_counter() - started, 1e-9)
    failures = [record for record in records if record.status == "failed"]
    for record in failures:
        talk.warn(f"{record.line.place}: not translated ({record.fault})")
    bests = [record.translation.hypotheses for record in records if record.translation]
    tokens = sum(len(hypotheses[0].pieces) for hypotheses in bests if hypotheses)
    return Outputs(
        tuple(one_line(record.best) for record in records),
        Speed(seconds, len(lines) / seconds, tokens / seconds),
        len(failures),
        sum(record.overlong for record in records),
    )


def _forced_scores(
    texts: Texts, translator: Searcher, metrics: Sequence[str], settings: MetricSettings
) -> Iterator[Score]:
    """Yield the scores that come from the model's opinion of the references.

    Pairs with a blank side have no place in them.

    Raises:
        CorpusError: there is no other pair.
    """
    pairs = [
        (source, reference)
        for source, reference in zip(texts.sources, texts.references, strict=True)
        if source.strip() and reference.strip()
    ]
    if not pairs:
        raise CorpusError(f"{texts.name}: no pair with text on both sides to score")
    sources, references = zip(*pairs, strict=True)
    forced = [found.hypotheses[0] for found in translator.force(sources, references)]
    if "perplexity" in metrics:
        yield perplexity([one.token_scores for one in forced], settings)
    if "token_accuracy" in metrics:
        yield token_accuracy([one.first_choices for one in forced], settings)
