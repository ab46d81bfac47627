"""The counters of a run: its state without weights, optimizer and random state, as JSON."""

from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter

from s2scli.training.schedule import PlateauState


@dataclass(frozen=True)
class Progress:
    """Counters of a run.

    Attributes:
        step: updates made.
        epoch: epochs finished.
        batch: batches of the current epoch already used.
        validated: the update of the last validation, or -1.
        seconds: time spent training, over all sessions of the run.
        best_score: the best validation score, or None.
        best_step: the update it was reached at.
        ranking: the update and the score of the best validations, the best first: as many as
            are averaged at the end.
        best_scheduled: the best score of the scheduled validations alone, or None.
        bad_validations: scheduled validations since that one.
        plateau: the state of the schedule.
        skipped: updates skipped because a gradient was not finite.
        skipped_in_a_row: those since the last update that was made.
        logged_loss: sum of the objective since the last log line.
        logged_tokens: target tokens since the last log line.
        logged_seconds: time since the last log line.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    validated: int = -1
    seconds: float = 0.0
    best_score: float | None = None
    best_step: int = 0
    ranking: tuple[tuple[int, float], ...] = ()
    best_scheduled: float | None = None
    bad_validations: int = 0
    plateau: PlateauState = field(default_factory=PlateauState)
    skipped: int = 0
    skipped_in_a_row: int = 0
    logged_loss: float = 0.0
    logged_tokens: int = 0
    logged_seconds: float = 0.0

    @property
    def best_steps(self) -> set[int]:
        """The updates of the best validation and of those that are averaged at the end."""
        return {self.best_step, *(step for step, _ in self.ranking)}

    def to_json(self) -> dict[str, Any]:
        """Return the counters as a JSON tree."""
        return asdict(self)

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> "Progress":
        """Return the counters that `to_json` made a tree of.

        Raises:
            ValueError: a counter is missing or is no number.
        """
        # older checkpoints have no `best_scheduled`
        tree = {"best_scheduled": tree.get("best_score")} | tree
        return TypeAdapter(cls).validate_python(tree)
