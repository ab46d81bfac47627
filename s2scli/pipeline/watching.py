"""What a training run tells of its faults and findings, each in one line."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from s2scli.pipeline.session import Session
from s2scli.report.console import Talk
from s2scli.training.diagnosis import new_findings, read_looks
from s2scli.training.events import (
    Event,
    Finding,
    RolledBack,
    Saved,
    Skipped,
    Split,
    Validation,
)
from s2scli.training.loop import MAX_SKIPPED_IN_A_ROW

LISTED = 10


@dataclass
class Watch:
    """Warns about the faults of a run, and diagnoses its validations.

    Attributes:
        session: the run.
        talk: shows the warnings.
        told_of_split: whether a split batch was warned about; the next ones are details.
    """

    session: Session
    talk: Talk
    told_of_split: bool = False

    def record(self, event: Event, more: Mapping[str, float]) -> None:
        """Log an event; after a validation, warn about and log what it newly finds.

        Args:
            event: the event.
            more: more numbers to log with it.

        Raises:
            StorageError: the disk is full or writing failed.
        """
        log = self.session.log
        if not isinstance(event, Validation):
            log.add(event, more)
            return
        log.add(replace(event, signs=dict(self.session.validator.signs)))
        looks = read_looks(log.read())
        for name, advice in new_findings(looks, self.session.run.settings).items():
            self.talk.warn(f"step {event.step}: {advice}")
            log.add(Finding(event.step, event.epoch, event.seconds, name, advice))

    def tell(self, event: Event) -> None:
        """Warn about a fault that training survives; the log has all rows."""
        match event:
            case Skipped(step=step, rows=rows):
                self.talk.warn(
                    f"update {step} skipped: its loss or gradient is not finite; training rows "
                    f"{_listed(rows)}"
                )
            case RolledBack(checkpoint=checkpoint):
                self.talk.warn(
                    f"{MAX_SKIPPED_IN_A_ROW} or more updates in a row were skipped: going back to "
                    f"the weights of checkpoint {checkpoint} and on with the next data; if it "
                    "happens again, training stops"
                )
            case Split():
                self._tell_of_split(event)
            case Saved(fault=fault) if fault:
                self.talk.warn(
                    f"{fault}; training continues and will try again at the next checkpoint"
                )

    def _tell_of_split(self, event: Split) -> None:
        device = self.session.run.device
        if event.rows:
            self.talk.warn(
                f"update {event.step}: left out training row {_listed(event.rows)}, which does not "
                f"fit into the memory of {device} even alone; lower training.max_length"
            )
        if event.splits and not self.told_of_split:
            self.told_of_split = True
            self.talk.warn(
                f"update {event.step}: a batch does not fit into the memory of {device} and is "
                "split, which takes time but gives the same gradient (means of free bits and batch "
                "norm are over its parts); with smaller batches "
                f"(--set training.batch_tokens={self.session.batches.batch_tokens // 2}, and more "
                "training.accumulate) none is"
            )
        elif event.splits:
            self.talk.detail(f"update {event.step}: split {event.splits} times to fit into memory")


def _listed(rows: tuple[int, ...]) -> str:
    """Return row numbers, counted from 0, as text; only the first of many."""
    more = len(rows) - LISTED
    return ", ".join(map(str, rows[:LISTED])) + f" and {more:,} more (metrics.jsonl)" * (more > 0)
