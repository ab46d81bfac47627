"""`s2s inspect errors`: the worst outputs of a split, and where the mistakes are."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from s2scli.data.lines import BadLineError, decode_line, open_text
from s2scli.data.store import Corpus, require_split
from s2scli.data.stream import LINE_BYTES
from s2scli.errors import CorpusError, MissingInputError, UsageError
from s2scli.manifest import in_one_generation
from s2scli.metrics.edit_distance import closest
from s2scli.metrics.mistakes import KINDS, count_words, kinds_of, rare_words
from s2scli.metrics.sentences import Sentence, score_sentences
from s2scli.pipeline.evaluate import warn_if_stale
from s2scli.pipeline.texts import Texts, ask, read_split
from s2scli.report.console import Talk
from s2scli.report.counting import counting
from s2scli.scripts import units_of
from s2scli.search.settings import SearchSettings
from s2scli.translation.loading import load_in_torch
from s2scli.translation.options import Options
from s2scli.workspace import Workspace

Order = Literal["score", "length", "rare"]
LENGTHS = (5, 10, 20, 40)  # the longest sources of all groups but the last, in words
FEW = 3  # sources with this many rare words or more are one group


@dataclass(frozen=True)
class ErrorsRequest:
    """Which outputs to inspect, and which to show.

    Attributes:
        outputs: a table that `s2s evaluate -o FILE.tsv` wrote; None translates the split.
        split: the split of the corpus.
        models: model folders; several are an ensemble.
        device: auto, cpu, cuda or cuda:N.
        by: the order: the lowest score, the length furthest from the reference's, or the most
            rare words first.
        kind: show only outputs with this kind of mistake; None shows any.
        count: the number of outputs to show.
    """

    outputs: Path | None = None
    split: str = "test"
    models: tuple[Path, ...] = ()
    device: str = "auto"
    by: Order = "score"
    kind: str | None = None
    count: int = 10


@dataclass(frozen=True)
class Mistake:
    """An output, what is wrong with it, and the rare words of its source."""

    sentence: Sentence
    kinds: tuple[str, ...]
    rare: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Outputs that have something in common: their number and their mean chrF."""

    name: str
    sentences: int
    chrf: float


@dataclass(frozen=True)
class Errors:
    """The mistakes of a split.

    Attributes:
        scored: a description of the outputs.
        sentences: the number of outputs.
        chrf: the mean of their sentence-level chrF.
        by_length: groups by the length of the source in words; empty without sources.
        by_rare: groups by the number of rare words in the source; empty without a training split.
        by_kind: groups by the kind of mistake; an output can be in several.
        worst: the worst outputs, worst first.
    """

    scored: str
    sentences: int
    chrf: float
    by_length: tuple[Group, ...]
    by_rare: tuple[Group, ...]
    by_kind: tuple[Group, ...]
    worst: tuple[Mistake, ...]


def inspect_errors(workspace: Workspace, request: ErrorsRequest, talk: Talk) -> Errors:
    """Return the mistakes of a split or of a table, and the worst outputs.

    Raises:
        UsageError: the order needs rare words, and there is no training split.
        MissingInputError: the table, the corpus or the model is missing.
        CorpusError: the table is not one of `s2s evaluate`, or the split is empty.
        CheckpointError: the corpus or the model is damaged.
    """
    if request.outputs:
        scored, sentences = request.outputs.name, _read_table(request.outputs)
    else:
        require_split(request.split)
        scored, sentences = _translate(workspace, request, talk)
    counts = _training_counts(workspace, sentences, talk)
    if request.by == "rare" and counts is None:
        raise UsageError(
            f"--by rare counts words in the training split, and {workspace.root} has no corpus; "
            "choose --by score, or the workspace with -w"
        )
    mistakes = [
        Mistake(
            one, kinds_of(one), rare_words(one.source or "", counts) if counts is not None else ()
        )
        for one in sentences
    ]
    chosen = [one for one in mistakes if request.kind is None or request.kind in one.kinds]
    chosen.sort(key=ORDERS[request.by])
    return Errors(
        scored,
        len(mistakes),
        sum(one.sentence.chrf for one in mistakes) / len(mistakes),
        _by_length(mistakes),
        _by_rare(mistakes) if counts is not None else (),
        tuple(_group(name, [one for one in mistakes if name in one.kinds]) for name in KINDS),
        tuple(chosen[: request.count]),
    )


def _imbalance(mistake: Mistake) -> float:
    """Return how far the length of an output is from that of its reference, as a ratio's log."""
    lengths = [len(text) + 1 for text in (mistake.sentence.output, mistake.sentence.reference)]
    return abs(math.log(lengths[0] / lengths[1]))


ORDERS: dict[Order, Callable[[Mistake], tuple[float, float]]] = {
    "score": lambda one: (one.sentence.chrf, 0.0),
    "length": lambda one: (-_imbalance(one), one.sentence.chrf),
    "rare": lambda one: (-len(one.rare), one.sentence.chrf),
}


def _translate(
    workspace: Workspace, request: ErrorsRequest, talk: Talk
) -> tuple[str, tuple[Sentence, ...]]:
    """Translate each source of the split once; its reference is the closest of its targets."""
    folder = workspace.find_corpus()

    def read() -> tuple[Corpus, Texts]:
        corpus = Corpus.load(folder)
        return corpus, read_split(corpus, request.split)

    corpus, texts = in_one_generation(folder, read)
    if not corpus.sides.are_text:
        raise UsageError("inspect errors is for corpora of text")
    translator = load_in_torch(workspace, request.models, request.device)
    if not request.models:
        warn_if_stale(workspace, corpus, talk)
    asked = ask(texts, once=True)
    settings: SearchSettings = translator.engine.settings
    outputs = []
    with counting(talk, "translating", "sentences", len(asked.lines)) as advance:
        for record in translator.translate(asked.lines, Options(settings)):
            outputs.append(record.text)
            advance(1)
    right: list[list[str]] = [[] for _ in outputs]
    for index, reference in zip(asked.indices, texts.references, strict=True):
        right[index].append(reference)
    references = [closest(*pair) for pair in zip(outputs, right, strict=True)]
    numbers, sources = zip(*((line.number, line.text) for line in asked.lines), strict=True)
    return texts.name, score_sentences(numbers, sources, references, outputs)


def _read_table(path: Path) -> tuple[Sentence, ...]:
    """Read source, reference and output of each line of a table.

    Raises:
        MissingInputError: there is no such file.
        CorpusError: the file is empty, or a line has other columns; the message names it.
    """
    rows = []
    with open_text(path) as file:
        for number, line in enumerate(file.lines(LINE_BYTES), 1):
            try:
                cells = decode_line(line or b"").split("\t")
            except BadLineError as error:
                raise CorpusError(f"{path}, line {number}: {error}") from error
            if len(cells) not in (3, 4):
                raise CorpusError(
                    f"{path}, line {number}: found {len(cells)} columns, expected source, "
                    "reference, output and chrF, as s2s evaluate -o FILE.tsv writes them"
                )
            rows.append(cells[:3])
    sources, references, outputs = zip(*rows, strict=True)
    return score_sentences(range(1, len(rows) + 1), sources, references, outputs)


def _training_counts(
    workspace: Workspace, sentences: Sequence[Sentence], talk: Talk
) -> Counter[str] | None:
    """Return how often the source words occur in the training split; None without one."""
    try:
        train = Corpus.load(workspace.find_corpus()).open_split("train")
    except MissingInputError:
        return None
    words = {unit for one in sentences for unit in units_of(one.source or "")}
    with counting(talk, "counting words", "rows", len(train)) as advance:
        counts: Counter[str] = Counter()
        for sources, _ in train.cells():
            counts.update(count_words(sources, words))
            advance(len(sources))
    return counts


def _by_length(mistakes: Sequence[Mistake]) -> tuple[Group, ...]:
    lengths = [len(units_of(one.sentence.source or "")) for one in mistakes]
    if not any(lengths):
        return ()
    starts = (0, *LENGTHS)
    groups = []
    for start, stop in zip(starts, (*LENGTHS, None), strict=True):
        name = f"{start + 1} to {stop}" if stop else f"{start + 1} or more"
        inside = [
            one
            for one, length in zip(mistakes, lengths, strict=True)
            if start < length and (stop is None or length <= stop)
        ]
        groups.append(_group(name, inside))
    return tuple(groups)


def _by_rare(mistakes: Sequence[Mistake]) -> tuple[Group, ...]:
    names = [*map(str, range(FEW)), f"{FEW} or more"]
    return tuple(
        _group(name, [one for one in mistakes if min(len(one.rare), FEW) == count])
        for count, name in enumerate(names)
    )


def _group(name: str, mistakes: Sequence[Mistake]) -> Group:
    mean = sum(one.sentence.chrf for one in mistakes) / max(1, len(mistakes))
    return Group(name, len(mistakes), mean)
