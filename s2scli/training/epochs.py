"""The training batches, which depend only on the seed, the epoch, the window and the batch number.

A large split is planned and read one window at a time (`data.shuffling`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np

from s2scli.data.batch import Batch, Pad, make_batch
from s2scli.data.batching import (
    PLAN,
    PLAN_OF_WINDOWS,
    Lengths,
    Rows,
    fits,
    number_of,
    plan_epoch,
)
from s2scli.data.example import TokenIds, Values
from s2scli.data.mixing import PLAIN, Mixture
from s2scli.data.noise import damage, drop_tokens
from s2scli.data.shuffling import Sized, read_blocks, survey
from s2scli.errors import CorpusError
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings
from s2scli.training.world import ALONE, World

MEASURED_ROWS = 1000
MIXING = 1  # in a seed: the random numbers for how often rows are seen
Resegment: TypeAlias = Callable[[Sequence[TokenIds], int], Sequence[TokenIds]]


@dataclass(frozen=True)
class WindowPlan:
    """The batches of one window of an epoch.

    Attributes:
        epoch: the number of the epoch.
        window: the number of the window in the epoch.
        batches: the row indices of each batch.
        tokens: the number of source and target tokens of these rows, likewise.
        padding: the share of padding among source and target positions.
    """

    epoch: int
    window: int
    batches: Sequence[Rows]
    tokens: Sequence[Lengths]
    padding: tuple[float, float]


class EncodedPairs(Sized, Protocol):
    """The training split as token ids (`data.EncodedSplit` is one)."""

    @property
    def pad(self) -> Pad:
        """The function that pads sources into a batch."""
        ...

    def gather(self, rows: Rows) -> tuple[Sequence[Values], Sequence[TokenIds]]:
        """Return the sources, and the token ids of the targets, in these rows."""
        ...


def as_they_are(rows: Sequence[TokenIds], seed: int) -> Sequence[TokenIds]:
    """Return the texts unchanged."""
    return rows


@dataclass(frozen=True)
class Segmenters:
    """Functions that resegment each side every time it is read.

    Attributes:
        source: takes token ids and a seed below 2^31, and returns other token ids of the same
            texts; the same ids and seed always give the same result.
        target: the same for targets.
    """

    source: Resegment = as_they_are
    target: Resegment = as_they_are


class TrainingBatches:
    """Reads the training split in batches.

    Attributes:
        kept: number of pairs that are short enough to train on.
        too_long: number of pairs that are left out because they are too long.
        batch_tokens: maximum batch size: sentences x longest side, padding included.
        windows: number of windows of an epoch.
        updates_per_epoch: updates in the first epoch; other epochs have about the same number. With
            several windows, it is an estimate: the updates in the first one, times their number.
        growth: mean factor by which resegmenting lengthens the longer side of a pair.

    Raises:
        CorpusError: every pair is too long.
    """

    def __init__(
        self,
        split: EncodedPairs,
        settings: TrainingSettings,
        segmenters: Segmenters = Segmenters(),
        world: World = ALONE,
        mixture: Mixture = PLAIN,
    ) -> None:
        self.split, self.settings = split, settings
        self.segmenters, self.world, self.mixture = segmenters, world, mixture
        self._blocks = survey(split, settings.max_length, mixture)
        self.kept, self.too_long = self._blocks.kept, len(split) - self._blocks.kept
        if not self.kept:
            raise CorpusError(
                f"every training pair is longer than training.max_length {settings.max_length} "
                "tokens; raise it"
            )
        self.windows = self._blocks.windows
        self.growth = self._measure_growth()
        tokens = int(self._blocks.tokens * self.growth)
        self.batch_tokens = min(settings.batch_tokens, max(1, tokens // settings.min_batches))
        self._plan = self._make_plan(0, 0)
        self.updates_per_epoch = self.windows * -(-len(self._plan.batches) // settings.accumulate)

    @property
    def padding(self) -> tuple[float, float]:
        """The share of padding among source and target positions in the current window.

        It is measured on the encoded corpus; resegmented texts have more padding.
        """
        return self._plan.padding

    @property
    def plan_version(self) -> int:
        """The version of the algorithm that plans the batches."""
        return PLAN if self.windows == 1 else PLAN_OF_WINDOWS

    def epochs_done(self, progress: Progress) -> float:
        """Return the number of epochs finished, including the fraction of the current one."""
        share = progress.batch / len(self._plan_at(progress).batches)
        return progress.epoch + (progress.window + share) / self.windows

    def next(self, progress: Progress) -> tuple[list[Batch], Progress]:
        """Return the batches of the next update, and the counters after reading them."""
        window, numbers = self._plan_at(progress), self._numbers(progress)
        plan = window.batches
        shares = [
            (self.world.share(plan[number], window.tokens[number]), number) for number in numbers
        ]
        batches = [self._read(rows, window, number) for rows, number in shares if len(rows)]
        if numbers.stop < len(plan):
            return batches, replace(progress, batch=numbers.stop)
        if window.window + 1 < self.windows:
            return batches, replace(progress, window=window.window + 1, batch=0)
        return batches, replace(progress, epoch=progress.epoch + 1, window=0, batch=0)

    def rows(self, progress: Progress) -> Rows:
        """Return the rows of the next update, of all processes, [rows]."""
        plan = self._plan_at(progress).batches
        return np.concatenate([plan[number] for number in self._numbers(progress)])

    def _numbers(self, progress: Progress) -> range:
        """Return the numbers of the batches of the next update in their window."""
        size = len(self._plan_at(progress).batches)
        begin = min(progress.batch, size - 1)  # older versions may have saved a larger number
        return range(begin, min(begin + self.settings.accumulate, size))

    def _read(self, rows: Rows, plan: WindowPlan, number: int) -> Batch:
        """Return one batch of a window; one random generator makes all its random choices."""
        number = number_of(plan.window, number)
        seed = self.world.separate([self.settings.seed, plan.epoch, number])
        random = np.random.default_rng(seed)
        sources, targets = self._segmented(rows, random)
        batch = make_batch(damage(sources, self.settings.noise, random), targets, self.split.pad)
        hidden = self.settings.source_token_dropout
        if hidden:
            batch = batch.with_source_ids(lambda ids: drop_tokens(ids, hidden, random))
        return replace(
            batch,
            target_input=drop_tokens(
                batch.target_input, self.settings.target_token_dropout, random
            ),
            rows=tuple(rows.tolist()),
        )

    def _segmented(
        self, rows: Rows, random: np.random.Generator
    ) -> tuple[Sequence[TokenIds], Sequence[TokenIds]]:
        """Return the source and target ids of these rows, resegmented.

        A text that would become longer than `training.max_length` keeps its original ids.
        """
        sources, targets = self.split.gather(rows)
        return (
            self._bounded(sources, self.segmenters.source(sources, _seed(random))),
            self._bounded(targets, self.segmenters.target(targets, _seed(random))),
        )

    def _bounded(self, usual: Sequence[TokenIds], new: Sequence[TokenIds]) -> Sequence[TokenIds]:
        longest = self.settings.max_length
        pairs = zip(usual, new, strict=True)
        return [ids if len(ids) <= longest else before for before, ids in pairs]

    def _measure_growth(self) -> float:
        """Return the factor by which resegmenting lengthens the longer sides, at least 1."""
        if self.segmenters == Segmenters():
            return 1.0
        rows, source_lengths, target_lengths = self._rows_of(0, 0)
        rows = rows[fits(source_lengths, target_lengths, self.settings.max_length)]
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), MEASURED_ROWS)).astype(np.int64)]
        random = np.random.default_rng(self.settings.seed)
        usual, new = self.split.gather(some), self._segmented(some, random)
        return max(1.0, _longer_sides(*new) / _longer_sides(*usual))

    def _plan_at(self, progress: Progress) -> WindowPlan:
        """Return the plan of the current window; a window behind the last one is the last."""
        window = min(progress.window, self.windows - 1)
        if (self._plan.epoch, self._plan.window) != (progress.epoch, window):
            self._plan = self._make_plan(progress.epoch, window)
        return self._plan

    def _make_plan(self, epoch: int, window: int) -> WindowPlan:
        rows, source_lengths, target_lengths = self._rows_of(epoch, window)
        batches = plan_epoch(
            source_lengths,
            target_lengths,
            max_tokens=max(1, int(self.batch_tokens / self.growth)),
            max_length=self.settings.max_length,
            seed=self.settings.seed,
            epoch=epoch,
            window=window,
        )
        padding = _padding(source_lengths, batches), _padding(target_lengths, batches)
        self.split.release()
        tokens = source_lengths + target_lengths
        return WindowPlan(
            epoch,
            window,
            [rows[batch] for batch in batches],
            [tokens[batch] for batch in batches],
            padding,
        )

    def _rows_of(self, epoch: int, window: int) -> tuple[Rows, Lengths, Lengths]:
        """Return the rows of a window, too long ones included, and their lengths.

        A row is there as often as the mixture of corpora says.
        """
        blocks = self._blocks.of_window(window, seed=self.settings.seed, epoch=epoch)
        rows, sources, targets = read_blocks(self.split, blocks)
        if self.mixture.is_plain:
            return rows, sources, targets
        random = np.random.default_rng([self.settings.seed, epoch, number_of(window), MIXING])
        usable = fits(sources, targets, self.settings.max_length)
        counts = self.mixture.draw(rows, usable, random)
        return np.repeat(rows, counts), np.repeat(sources, counts), np.repeat(targets, counts)


def _padding(lengths: Lengths, batches: Sequence[Rows]) -> float:
    """Return the share of positions that are padding; end tokens are not padding."""
    rows = np.concatenate(batches)
    sizes = np.array([len(batch) for batch in batches])
    longest = np.maximum.reduceat(lengths[rows], np.cumsum(sizes) - sizes).astype(np.int64) + 1
    return 1 - (int(lengths[rows].sum(dtype=np.int64)) + len(rows)) / int(sizes @ longest)


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(2**31))


def _longer_sides(sources: Sequence[TokenIds], targets: Sequence[TokenIds]) -> int:
    """Return the total length of each pair's longer side, end token included."""
    return sum(max(map(len, pair)) + 1 for pair in zip(sources, targets, strict=True))
