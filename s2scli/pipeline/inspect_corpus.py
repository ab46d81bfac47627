"""`s2s inspect corpus`: describe a prepared corpus."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2scli.data.accounting import Report, cell_sizes, read_report
from s2scli.data.example import Example
from s2scli.data.store import Corpus, TextSplit
from s2scli.manifest import in_one_generation
from s2scli.pipeline.inspect_tokenizer import load_tokenizers
from s2scli.pipeline.report_card import Card, make_card
from s2scli.sides import Sides
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.workspace import Workspace

MAX_EXPONENT = 30  # the last bin holds lengths from 2^30 characters
FINEST = 20  # the first bin of recordings begins at 1 / 20 s


@dataclass(frozen=True)
class LengthBin:
    """The number of sources and targets in a split with `shortest` to `longest` characters."""

    shortest: int
    longest: int
    sources: int
    targets: int


@dataclass(frozen=True)
class SizeBin:
    """The number of cells of one side that have at least `smallest` and less than `limit` units.

    Attributes:
        side: source or target.
        unit: characters, seconds or pixels.
        smallest: the smallest size.
        limit: the size that no cell reaches.
        rows: the number of cells.
    """

    side: str
    unit: str
    smallest: float
    limit: float
    rows: int


@dataclass(frozen=True)
class CorpusView:
    """A corpus: the report of its preparation, and one of its splits in detail.

    Attributes:
        report: the report of `s2s prepare`.
        settings: the settings of `s2s prepare` and the hashes of its input files.
        split: the name of the split.
        lengths: a histogram of the lengths in the split; each bin is twice as wide as the last. It
            is empty unless both sides are text.
        sizes: a histogram of each side, likewise; empty if both sides are text.
        samples: evenly spaced rows of the split.
        card: what is in the corpus and what to look at first; None unless both sides are text.
    """

    report: Report
    settings: dict[str, Any]
    split: str
    lengths: tuple[LengthBin, ...]
    sizes: tuple[SizeBin, ...]
    samples: tuple[Example, ...]
    card: Card | None


def inspect_corpus(workspace: Workspace, split: str, count: int) -> CorpusView:
    """Describe the corpus of a workspace, with up to `count` sample rows of one split.

    Raises:
        MissingInputError: there is no corpus, or the split does not exist.
        CheckpointError: the corpus or the tokenizer is damaged.
    """
    folder = workspace.find_corpus()
    tokenizers = load_tokenizers(workspace, None) if workspace.tokenizer.exists() else None
    return in_one_generation(folder, lambda: _view(folder, split, count, tokenizers))


def _view(folder: Path, split: str, count: int, tokenizers: Tokenizers | None) -> CorpusView:
    corpus = Corpus.load(folder)
    rows = corpus.open_split(split)
    report = read_report(corpus.folder)
    return CorpusView(
        report=report,
        settings=corpus.manifest.facts,
        split=split,
        lengths=_length_bins(rows) if corpus.sides.are_text else (),
        sizes=() if corpus.sides.are_text else tuple(_size_bins(rows, corpus.sides)),
        samples=tuple(_samples(rows, count)),
        card=make_card(corpus, report, tokenizers) if corpus.sides.are_text else None,
    )


def _length_bins(rows: TextSplit) -> tuple[LengthBin, ...]:
    sources, targets = _counts(rows, "source"), _counts(rows, "target")
    used = np.flatnonzero(sources + targets)
    return tuple(
        LengthBin(2**power, 2 ** (power + 1) - 1, int(sources[power]), int(targets[power]))
        for power in (range(int(used[0]), int(used[-1]) + 1) if len(used) else ())
    )


def _size_bins(rows: TextSplit, sides: Sides) -> Iterator[SizeBin]:
    """Yield the bins of the source, then those of the target."""
    for side, media in (("source", sides.source), ("target", sides.target)):
        unit, values = media.size_unit if media else ("characters", 1)
        fine = max(1, values // FINEST) if unit == "seconds" else values
        counts = _counts(rows, side, fine)
        used = np.flatnonzero(counts)
        for power in range(int(used[0]), int(used[-1]) + 1) if len(used) else ():
            smallest = 2**power * fine / values
            yield SizeBin(side, unit, smallest, 2 * smallest, int(counts[power]))


def _counts(rows: TextSplit, side: str, divisor: int = 1) -> NDArray[np.int64]:
    """Return, for each i, the number of cells with a size in [2^i, 2^(i+1)) x `divisor`."""
    counts = np.zeros(MAX_EXPONENT + 1, np.int64)
    for batch in rows.batches():
        lengths = cell_sizes(batch, side) // divisor
        powers = np.log2(np.maximum(lengths, 1)).astype(np.int64)
        counts += np.bincount(powers, minlength=MAX_EXPONENT + 1)
    return counts


def _samples(rows: TextSplit, count: int) -> Iterator[Example]:
    count = min(count, len(rows))
    for number in range(count):
        yield rows[number * len(rows) // count]
