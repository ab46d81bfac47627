"""The batches of a run, in an order that is a function of the seed and the epoch alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from s2scli.data.batch import Batch, make_batch
from s2scli.data.batching import Lengths, Rows, fits, plan_epoch
from s2scli.data.example import TokenIds
from s2scli.errors import CorpusError
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings


@dataclass(frozen=True)
class EpochPlan:
    """The batches of one epoch."""

    epoch: int
    batches: Sequence[Rows]


class EncodedPairs(Protocol):
    """The training split as token ids (`data.EncodedSplit` is one)."""

    @property
    def source_lengths(self) -> Lengths:
        """Tokens of each source, [rows]."""
        ...

    @property
    def target_lengths(self) -> Lengths:
        """Tokens of each target, [rows]."""
        ...

    def gather(self, rows: Rows) -> tuple[Sequence[TokenIds], Sequence[TokenIds]]:
        """Return the token ids of the sources and targets of these rows."""
        ...


class TrainingBatches:
    """Reads the training split, batch by batch, from wherever a run stands.

    Raises:
        CorpusError: no pair is short enough.
    """

    def __init__(self, split: EncodedPairs, settings: TrainingSettings) -> None:
        self.split, self.settings = split, settings
        kept = fits(split.source_lengths, split.target_lengths, settings.max_length)
        self.kept, self.too_long = int(kept.sum()), int((~kept).sum())
        if not self.kept:
            raise CorpusError(
                f"every training pair is longer than training.max_length {settings.max_length} "
                "tokens; raise it"
            )
        longer = np.maximum(split.source_lengths, split.target_lengths)[kept].astype(np.int64) + 1
        self.batch_tokens = min(
            settings.batch_tokens, max(1, int(longer.sum()) // settings.min_batches)
        )
        self._plan = self._make_plan(0)

    @property
    def updates_per_epoch(self) -> int:
        """Updates that the current epoch takes."""
        return -(-len(self._plan.batches) // self.settings.accumulate)

    @property
    def padding(self) -> tuple[float, float]:
        """The share of padding among source and target places of the current epoch."""
        wasted = [0, 0]
        places = [0, 0]
        for rows in self._plan.batches:
            for side, lengths in enumerate((self.split.source_lengths, self.split.target_lengths)):
                mine = lengths[rows].astype(np.int64) + 1
                places[side] += len(rows) * int(mine.max())
                wasted[side] += len(rows) * int(mine.max()) - int(mine.sum())
        return wasted[0] / places[0], wasted[1] / places[1]

    def epochs_done(self, progress: Progress) -> float:
        """Return the epochs finished, with the share of the current one."""
        return progress.epoch + progress.batch / len(self._plan_of(progress.epoch).batches)

    def next(self, progress: Progress) -> tuple[list[Batch], Progress]:
        """Return the batches of the next update, and the counters after reading them."""
        plan = self._plan_of(progress.epoch).batches
        end = min(progress.batch + self.settings.accumulate, len(plan))
        batches = [make_batch(*self.split.gather(rows)) for rows in plan[progress.batch : end]]
        if end == len(plan):
            return batches, replace(progress, epoch=progress.epoch + 1, batch=0)
        return batches, replace(progress, batch=end)

    def _plan_of(self, epoch: int) -> EpochPlan:
        if self._plan.epoch != epoch:
            self._plan = self._make_plan(epoch)
        return self._plan

    def _make_plan(self, epoch: int) -> EpochPlan:
        batches = plan_epoch(
            self.split.source_lengths,
            self.split.target_lengths,
            max_tokens=self.batch_tokens,
            max_length=self.settings.max_length,
            seed=self.settings.seed,
            epoch=epoch,
        )
        return EpochPlan(epoch, batches)
