"""The counters of a run, which checkpoints save as JSON."""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from s2scli.artifacts import first_fault
from s2scli.training.schedule import PlateauState

Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Progress:
    """Counters of a run.

    Attributes:
        step: updates made.
        epoch: epochs finished.
        window: windows of the current epoch finished.
        batch: batches of the current window already used.
        validated: the step of the last validation, or -1.
        seconds: time the run has taken, over all its sessions.
        best_score: the best validation score, or None.
        best_step: the step of the best score.
        ranking: the steps and scores of the best validations, best first; the weights of these
            steps are averaged at the end.
        best_scheduled: the best score of the scheduled validations, or None.
        bad_validations: scheduled validations since that score.
        plateau: the state of the schedule.
        skipped: updates skipped because the loss or the gradient was not finite.
        skipped_in_a_row: skipped updates since the last one that was not skipped.
        saved: the step of the last checkpoint on schedule, amid no skipped updates.
        safe: the step of the last such checkpoint whose weights were updated since, so that
            updates that fail now need not fail from there.
        rolled_back: the step at which the run rolled back to a checkpoint; 0 if it never did.
        logged_loss: sum of the objective since the last log line.
        logged_tokens: target tokens since the last log line.
        logged_seconds: training time since the last log line.
    """

    step: Count = 0
    epoch: Count = 0
    window: Count = 0
    batch: Count = 0
    validated: Annotated[int, Field(strict=True, ge=-1, le=2**53)] = -1
    seconds: Seconds = 0.0
    best_score: Finite | None = None
    best_step: Count = 0
    ranking: tuple[tuple[Count, Finite], ...] = ()
    best_scheduled: Finite | None = None
    bad_validations: Count = 0
    plateau: PlateauState = field(default_factory=PlateauState)
    skipped: Count = 0
    skipped_in_a_row: Count = 0
    saved: Count = 0
    safe: Count = 0
    rolled_back: Count = 0
    logged_loss: Finite = 0.0
    logged_tokens: Count = 0
    logged_seconds: Seconds = 0.0

    @property
    def best_steps(self) -> set[int]:
        """The steps of the best validation and of those that are averaged at the end."""
        return {self.best_step, *(step for step, _ in self.ranking)}

    @property
    def kept_steps(self) -> set[int]:
        """The steps whose checkpoints must be kept: the best, and those to roll back to."""
        return {*self.best_steps, self.saved, self.safe}

    def to_json(self) -> dict[str, Any]:
        """Return the counters as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, tree: object) -> "Progress":
        """Return the counters from the result of `to_json`.

        Raises:
            ValueError: it is not an object, or a counter has the wrong type or is out of range.
        """
        if not isinstance(tree, dict):
            raise ValueError("the counters are not an object")
        # older checkpoints have no `best_scheduled`
        tree = {"best_scheduled": tree.get("best_score")} | tree
        try:
            return TypeAdapter(cls).validate_python(tree)
        except ValidationError as error:
            raise ValueError(first_fault(error)) from error
