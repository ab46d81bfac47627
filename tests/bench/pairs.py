"""What the contenders learn from: the pairs of a workspace, or made-up ones of like lengths."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2scli.data.batch import Batch
from s2scli.data.batching import Lengths, Rows
from s2scli.data.encoded import open_encoded, pad_ids
from s2scli.data.example import TokenIds
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.epochs import EncodedPairs, TrainingBatches
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings

VOCAB_SIZE = 8000
ROWS = 29_000


@dataclass(frozen=True)
class Corpus:
    """Pairs of token ids of one joint vocabulary.

    Attributes:
        name: where they are from.
        pairs: the training split.
        vocab_size: tokens of the vocabulary.
    """

    name: str
    pairs: EncodedPairs
    vocab_size: int


class MadeUpPairs:
    """Random tokens, as frequent as words are, in pairs as long as Multi30k's from en to de.

    There, cut into a joint vocabulary of 8,000, the logarithm of the target's length has the mean
    2.634 and the deviation 0.354, and that of the ratio of both sides the deviation 0.169.
    """

    def __init__(self, rows: int = ROWS, vocab_size: int = VOCAB_SIZE) -> None:
        random = np.random.default_rng(1)
        target = random.normal(2.634, 0.354, rows)
        source = target - 0.02 + random.normal(0.0, 0.169, rows)
        self.target_lengths: Lengths = _whole(target)
        self.source_lengths: Lengths = _whole(source)
        self._sources = _texts(self.source_lengths, vocab_size, random)
        self._targets = _texts(self.target_lengths, vocab_size, random)

    pad = staticmethod(pad_ids)

    def __len__(self) -> int:
        return len(self.source_lengths)

    def lengths(self, begin: int, end: int) -> tuple[Lengths, Lengths]:
        """Return the lengths of the sources and targets of some rows."""
        return self.source_lengths[begin:end], self.target_lengths[begin:end]

    def release(self) -> None:
        """Keep all pairs in memory."""

    def gather(self, rows: Rows) -> tuple[Sequence[TokenIds], Sequence[TokenIds]]:
        """Return the token ids of the sources and targets of these rows."""
        return [self._sources[row] for row in rows], [self._targets[row] for row in rows]


def _whole(logarithms: NDArray[np.float64]) -> Lengths:
    lengths: Lengths = np.exp(logarithms).round().clip(2, 60).astype(np.int32)
    return lengths


def _texts(lengths: Lengths, vocab_size: int, random: np.random.Generator) -> list[TokenIds]:
    """Return texts of these lengths; the token of rank r comes up in proportion to 1 / r."""
    ranks = np.exp(random.uniform(0.0, np.log(vocab_size - EOS_ID - 1), int(lengths.sum())))
    return np.split((ranks + EOS_ID).astype(np.int32), np.cumsum(lengths)[:-1])


def bench_corpus() -> Corpus:
    """Return the corpus of the workspace S2S_BENCH_WORKSPACE, or a made-up one."""
    folder = os.environ.get("S2S_BENCH_WORKSPACE")
    if not folder:
        return Corpus("made up, as long as Multi30k's", MadeUpPairs(), VOCAB_SIZE)
    tokenizers = Tokenizers.load(Path(folder) / "tokenizer")
    assert tokenizers.joint, f"{folder}: needs a joint vocabulary (s2s train-tokenizer --joint)"
    pairs = open_encoded(Path(folder) / "encoded", "train")
    return Corpus(Path(folder).name, pairs, tokenizers.target.vocab_size)


def first_batches(corpus: Corpus, settings: TrainingSettings, count: int) -> list[Batch]:
    """Return the first batches of a run, which are the same whoever trains on them."""
    batches, progress = TrainingBatches(corpus.pairs, settings), Progress()
    read: list[Batch] = []
    while len(read) < count:
        group, progress = batches.next(progress)
        read += group
    return read[:count]
