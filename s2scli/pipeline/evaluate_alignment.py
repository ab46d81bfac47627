"""The part of `s2s evaluate` that scores word alignments against gold alignments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2scli.data.codecs import SourceCodec, TargetCodec
from s2scli.data.codecs.text import TextCodec
from s2scli.data.formats import FORMATS
from s2scli.data.lines import open_text
from s2scli.data.rows import require_examples
from s2scli.data.stream import LINE_BYTES
from s2scli.errors import CorpusError, UsageError
from s2scli.metrics.aer import AlignmentScores, aer
from s2scli.metrics.links import AlignmentFiles, GoldLinks, Links, read_gold, read_links
from s2scli.metrics.settings import MetricSettings
from s2scli.report.alignment import link, word_weights
from s2scli.report.console import Talk
from s2scli.report.counting import counting
from s2scli.report.readings import BEST_HEADS, Reading
from s2scli.scripts import is_unspaced
from s2scli.translation.loading import load_in_torch
from s2scli.translation.options import Options, Wanted
from s2scli.translation.pairs import pairs_of
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class AlignmentEvaluation:
    """The scores of alignments against gold alignments.

    Attributes:
        scored: a description of what was scored.
        pairs: the number of pairs.
        unscored: the number of pairs that the model could not align; they have no links.
        scores: the scores by the name of the reading; those of the model's own one first.
    """

    scored: str
    pairs: int
    unscored: int
    scores: dict[str, AlignmentScores]

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document."""
        return {
            "scored": self.scored,
            "pairs": self.pairs,
            "unscored": self.unscored,
            "readings": [
                {
                    "reading": name,
                    **found.error_rate.as_json(),
                    "precision": found.precision,
                    "recall": found.recall,
                }
                for name, found in self.scores.items()
            ],
        }


@dataclass(frozen=True)
class Words:
    """One side of the pairs: its words, and the share of each piece that belongs to each word.

    Attributes:
        text: the text that the model reads or writes.
        shares: [pieces, words]; the last piece is the end token, which belongs to none.
    """

    text: str
    shares: Shares


def evaluate_alignment(
    workspace: Workspace,
    files: AlignmentFiles,
    models: Sequence[Path],
    device: str,
    settings: MetricSettings,
    talk: Talk,
) -> AlignmentEvaluation:
    """Score alignments of a file or of a model's attention against gold alignments.

    The model reads the source and is made to write the reference. Its alignments are read as those
    of `s2s translate --alignment`. The scores of two other readings are added for comparison: the
    same layer at the other step, and the heads that align best at the step that writes a token.

    Args:
        workspace: its model is used if `models` is empty.
        files: the files to score.
        models: model folders; the first one gives the attention.
        device: auto, cpu, cuda or cuda:N.
        settings: the metric settings.
        talk: shows progress.

    Raises:
        UsageError: the files contradict each other, or the model has no attention or is not for
            text.
        MissingInputError: a file or the model is missing.
        CorpusError: a file is damaged, or the files do not belong together.
        CheckpointError: the model is damaged.
    """
    files.check()
    if files.hypothesis and models:
        raise UsageError("--hypothesis is scored without a model: leave --model out")
    gold = read_gold(_read(files.gold), files.gold.name, files.first)
    if files.hypothesis:
        links = read_links(_read(files.hypothesis), files.hypothesis.name)
        _require_as_many(files.hypothesis, len(links), files.gold, len(gold))
        name = files.hypothesis.name
        scores = {name: aer(links, gold, settings)}
        return AlignmentEvaluation(f"{name} against {files.gold.name}", len(gold), 0, scores)
    assert files.source and files.reference
    sources, references = (
        [line.split() for line in _read(path)] for path in (files.source, files.reference)
    )
    for path, lines in ((files.source, sources), (files.reference, references)):
        _require_as_many(path, len(lines), files.gold, len(gold))
    _require_within(gold, sources, references, files.gold.name)
    translator = load_in_torch(workspace, models, device)
    if not (translator.has_attention and translator.sides.are_text):
        raise UsageError("--aer needs a model with attention that reads and writes text")
    used = translator.engine.reading
    readings = [used, used.model_copy(update={"later": not used.later}), BEST_HEADS]
    readings = [one for number, one in enumerate(readings) if one not in readings[:number]]
    found, unscored = _align(translator, sources, references, readings, talk)
    scores = {
        reading.name: aer(links, gold, settings)
        for reading, links in zip(readings, found, strict=True)
    }
    name = f"{files.source.name} and {files.reference.name} against {files.gold.name}"
    return AlignmentEvaluation(name, len(gold), unscored, scores)


def _read(path: Path) -> list[str]:
    with open_text(path) as file:
        rows = FORMATS["sentences"].read([file], LINE_BYTES)
        return [row.source for row in require_examples(rows)]


def _require_as_many(path: Path, lines: int, gold: Path, expected: int) -> None:
    if lines != expected:
        raise CorpusError(
            f"{path.name} has {lines:,} lines but {gold.name} has {expected:,}; line k of one must "
            "belong to line k of the other"
        )


def _require_within(
    gold: Sequence[GoldLinks],
    sources: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    name: str,
) -> None:
    """Check that the gold links are between words of the texts.

    Raises:
        CorpusError: one is not; the message names its line.
    """
    for number, (one, *words) in enumerate(zip(gold, sources, references, strict=True), 1):
        sizes = [len(side) for side in words]
        for pair in one.possible:
            if any(index >= size for index, size in zip(pair, sizes, strict=True)):
                raise CorpusError(
                    f"{name}, line {number}: a link to word {pair[0] + 1} of the source and word "
                    f"{pair[1] + 1} of the target, which have {sizes[0]} and {sizes[1]} words; "
                    "expected tokenised texts, and --aer-from 0 if the words count from 0"
                )


def _align(
    translator: Translator,
    sources: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    readings: Sequence[Reading],
    talk: Talk,
) -> tuple[list[list[Links]], int]:
    """Return the links of each pair for each reading, and the number of pairs without any."""
    left = [divide(words, translator.source, ends=translator.reads_end) for words in sources]
    right = [divide(words, translator.target) for words in references]
    pairs = pairs_of("pair", [one.text for one in left], [one.text for one in right])
    options = Options(translator.engine.settings, wanted=Wanted(attention=True))
    found: list[list[Links]] = [[] for _ in readings]
    unscored = 0
    with counting(talk, "aligning", "pairs", len(pairs)) as advance:
        records = translator.score(pairs, options)
        for record, source, target in zip(records, left, right, strict=True):
            advance(1)
            heads = (
                record.translation.heads(record.best)
                if record.translation and record.best
                else None
            )
            unscored += not (heads and source.shares.any() and target.shares.any())
            for reading, links in zip(readings, found, strict=True):
                weights = None if heads is None else reading.map(heads).weights
                links.append(frozenset(_links(weights, source, target)))
    return found, unscored


def _links(
    weights: NDArray[np.float32] | None, source: Words, target: Words
) -> Iterator[tuple[int, int]]:
    if weights is not None:
        yield from link(word_weights(weights, source.shares, target.shares))


def divide(words: Sequence[str], codec: SourceCodec | TargetCodec, *, ends: bool = True) -> Words:
    """Join words into the text of a model, and find the pieces of each word.

    No space is between two characters of scripts without spaces, as models of such languages read
    text without them. A piece may cover several words or parts of them; its shares are those of its
    characters.

    Args:
        words: the words of one side of a pair.
        codec: the codec of that side, for text.
        ends: whether an end token follows, which belongs to no word.
    """
    assert isinstance(codec, TextCodec)
    text = ""
    for word in words:
        joined = text and is_unspaced(text[-1]) and is_unspaced(word[0])
        text += word if joined or not text else f" {word}"
    characters, spans = codec.spans(text)
    owner = [
        number for number, word in enumerate(words) for _ in codec.spans(word)[0]
    ]  # the word of each character
    shares = np.zeros((len(spans) + ends, len(words)))
    if len(owner) == len(characters):
        for piece, (start, end) in enumerate(spans):
            for index in range(start, end):
                shares[piece, owner[index]] += 1 / (end - start)
    return Words(text, shares)
