"""Every example exactly once in an epoch, whatever is killed and however many processes go on."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from s2scli.data.batching import Lengths, Rows
from s2scli.data.encoded import pad_ids
from s2scli.data.example import TokenIds, Values
from s2scli.errors import StorageError
from s2scli.files import FILES, Files
from s2scli.special_ids import EOS_ID
from s2scli.training.checkpoint import Checkpoint, newest_checkpoint, save_checkpoint, sweep
from s2scli.training.epochs import TrainingBatches
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings
from tests.faults import KINDS, FaultFiles
from tests.training.runs import training_settings
from tests.training.worlds import Meeting, Member

pytestmark = pytest.mark.usefixtures("quick_fsync")
ROWS, LONGEST, MOST_PROCESSES = 60, 8, 3
FIRST_ID = EOS_ID + 1


@dataclass
class NumberedPairs:
    """A split whose row `n` has only tokens of the id `FIRST_ID + n`."""

    sizes: Lengths
    pad = staticmethod(pad_ids)

    def __len__(self) -> int:
        return len(self.sizes)

    def lengths(self, begin: int, end: int) -> tuple[Lengths, Lengths]:
        return self.sizes[begin:end], self.sizes[begin:end]

    def release(self) -> None:
        pass

    def gather(self, rows: Rows) -> tuple[list[Values], list[TokenIds]]:
        ids = [np.full(self.sizes[row], FIRST_ID + row, np.int32) for row in rows]
        return list(ids), ids


def numbered_pairs() -> NumberedPairs:
    lengths = np.random.default_rng(3).integers(1, LONGEST + 2, ROWS).astype(np.int32)
    return NumberedPairs(lengths)


class Run:
    """Some processes that read the batches of a run, and save where they are."""

    def __init__(self, settings: TrainingSettings, processes: int, progress: Progress) -> None:
        members = [Member(rank, processes, Meeting(processes)) for rank in range(processes)]
        pairs = numbered_pairs()
        self.readers = [TrainingBatches(pairs, settings, world=member) for member in members]
        self.progress = progress

    def update(self) -> list[int]:
        """Read the batches of an update; return the numbers of its rows, sorted."""
        rows: list[int] = []
        ends = set()
        for reader in self.readers:
            group, after = reader.next(self.progress)
            rows += [int(row) - FIRST_ID for batch in group for row in batch.source[:, 0]]
            ends.add(after)
        (after,) = ends
        self.progress = replace(after, step=self.progress.step + 1)
        return sorted(rows)


def uninterrupted(settings: TrainingSettings, updates: int) -> list[list[int]]:
    run = Run(settings, 1, Progress())
    return [run.update() for _ in range(updates)]


class Interruptions(RuleBasedStateMachine):
    """A run that is trained, saved, killed (amid a save too) and resumed at will."""

    def __init__(self) -> None:
        super().__init__()
        self.training = Path(tempfile.mkdtemp()) / "training"

    def teardown(self) -> None:
        shutil.rmtree(self.training.parent)

    @initialize(accumulate=st.integers(1, 3), seed=st.integers(1, 5))
    def begin(self, accumulate: int, seed: int) -> None:
        self.settings = training_settings(
            accumulate=accumulate, seed=seed, batch_tokens=60, max_length=LONGEST
        )
        self.updates: list[list[int]] = []
        self.saved = 0
        self.resume(1)

    def resume(self, processes: int) -> None:
        """Start as `s2s train` does, in some processes."""
        sweep(self.training)
        checkpoint, faults = newest_checkpoint(self.training)
        assert not faults
        progress = checkpoint.progress if checkpoint else Progress()
        assert progress.step >= self.saved, "an acknowledged save is never lost"
        self.saved = progress.step
        self.run = Run(self.settings, processes, progress)
        del self.updates[progress.step :]

    @rule(updates=st.integers(1, 6))
    def train(self, updates: int) -> None:
        self.updates += [self.run.update() for _ in range(updates)]

    @rule()
    def save(self) -> None:
        self._save(FILES)
        self.saved = self.run.progress.step

    @rule(processes=st.integers(1, MOST_PROCESSES))
    def kill(self, processes: int) -> None:
        self.resume(processes)

    @rule(
        at=st.integers(1, 25), kind=st.sampled_from(KINDS), processes=st.integers(1, MOST_PROCESSES)
    )
    def kill_amid_a_save(self, at: int, kind: str, processes: int) -> None:
        try:
            self._save(FaultFiles(at, kind))
            self.saved = self.run.progress.step
        except (StorageError, KeyboardInterrupt, SystemExit):
            pass
        self.resume(processes)

    def _save(self, files: Files) -> None:
        states = {"cpu": torch.get_rng_state()}
        checkpoint = Checkpoint({}, {}, self.run.progress, {}, {}, {}, states)
        save_checkpoint(self.training, checkpoint, files)

    @invariant()
    def the_order_is_that_of_one_process_never_killed(self) -> None:
        if hasattr(self, "settings"):
            assert self.updates == uninterrupted(self.settings, len(self.updates))
            assert len(self.updates) == self.run.progress.step

    @invariant()
    def every_row_is_read_once_in_an_epoch(self) -> None:
        if not hasattr(self, "settings"):
            return
        kept = [row for row in range(ROWS) if numbered_pairs().sizes[row] <= LONGEST]
        read = [row for update in self.updates for row in update]
        for epoch in range(self.run.progress.epoch):
            assert sorted(read[epoch * len(kept) : (epoch + 1) * len(kept)]) == kept
        rest = read[self.run.progress.epoch * len(kept) :]
        assert len(rest) == len(set(rest))


TestExactlyOnce = Interruptions.TestCase
TestExactlyOnce.settings = settings(
    max_examples=15,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_the_pairs_are_many_batches_and_some_are_too_long() -> None:
    updates = uninterrupted(training_settings(batch_tokens=60, max_length=LONGEST), 5)
    batches = TrainingBatches(
        numbered_pairs(), training_settings(batch_tokens=60, max_length=LONGEST)
    )
    assert batches.too_long and batches.updates_per_epoch >= 5
    assert min(map(len, updates)) >= MOST_PROCESSES, "each process has its share of each batch"
