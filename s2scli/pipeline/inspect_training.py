"""`s2s inspect training`: show the history of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2scli.config import CRITERIA, Recipe, load_recipe
from s2scli.errors import CheckpointError, ConfigError, MissingInputError
from s2scli.settings import Tree
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.outlook import Outlook, judge
from s2scli.training.samples_log import Samples, SamplesLog
from s2scli.training.stopping import Criterion
from s2scli.workspace import Workspace


@dataclass(frozen=True)
class LogLine:
    """One line of `metrics.jsonl`.

    Attributes:
        step: the number of updates so far.
        epoch: the number of epochs so far; the fraction is the progress in the current one.
        seconds: the training time so far.
        values: the measured values, by name; NaN if a value was not finite.
        best: whether this validation gave the best score so far, so its weights became the model.
    """

    step: int
    epoch: float
    seconds: float
    values: dict[str, float]
    best: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The record as JSON; values that are not finite become null."""
        values = {name: v if math.isfinite(v) else None for name, v in self.values.items()}
        when = {"step": self.step, "epoch": self.epoch, "seconds": self.seconds}
        return {**when, "best": self.best, **values}


@dataclass(frozen=True)
class History:
    """The contents of `metrics.jsonl`.

    Attributes:
        updates: the update lines, in order.
        validations: the validation lines, in order.
        criterion: the score that selects the best checkpoint.
        samples: the outputs for some validation examples at each validation; empty if none were
            logged (`training.log_samples`).
    """

    updates: tuple[LogLine, ...]
    validations: tuple[LogLine, ...]
    criterion: Criterion
    samples: tuple[Samples, ...] = ()

    @property
    def best(self) -> LogLine | None:
        """The best validation; None if there is none yet."""
        return next((record for record in reversed(self.validations) if record.best), None)

    @property
    def outlook(self) -> Outlook:
        """Whether more training is likely to help."""
        return judge({record.step: record.values for record in self.validations}, self.criterion)

    @property
    def scores(self) -> list[str]:
        """The names of all validation scores, in order of first appearance."""
        return list(dict.fromkeys(name for record in self.validations for name in record.values))


def inspect_training(workspace: Workspace) -> History:
    """Read the history of the workspace's run; ignore a last line that a crash cut short.

    Raises:
        MissingInputError: `metrics.jsonl` is missing or still empty.
        CheckpointError: a line is damaged.
    """
    path = workspace.training / "metrics.jsonl"
    updates: list[LogLine] = []
    validations: list[LogLine] = []
    log = MetricsLog(path)
    if line := log.damaged_line():
        raise CheckpointError(
            f"{path}, line {line}: damaged, expected an update or a validation of s2s"
        )
    for tree in log.read():
        kind, record = _read_record(tree)
        (updates if kind == "update" else validations).append(record)
    if not updates and not validations:
        raise MissingInputError(
            f"{path}: no training history yet; start training with `s2s train`, or wait for its "
            "first log line"
        )
    samples = SamplesLog(workspace.training / "samples.jsonl").read()
    criterion = _criterion(workspace.model, validations)
    return History(tuple(updates), tuple(validations), criterion, tuple(samples))


def _criterion(model: Path, validations: Sequence[LogLine]) -> Criterion:
    """Return the criterion of the run's recipe; the default one if there is no model yet.

    If no validation has that score, return the loss.
    """
    try:
        chosen = load_recipe(str(model / "recipe.toml")).criterion
    except (CheckpointError, ConfigError, MissingInputError):
        chosen = Recipe().criterion
    measured = any(chosen.name in record.values for record in validations)
    return chosen if measured else CRITERIA["loss"]


def _read_record(tree: Tree) -> tuple[str, LogLine]:
    """Return the kind and the record of one line of `metrics.jsonl`."""
    kind, best = tree.pop("kind"), tree.pop("best", False) is True
    progress = (tree.pop("step"), float(tree.pop("epoch")), float(tree.pop("seconds")))
    tree.pop("signs", None)
    measured = {**tree.pop("scores", {}), **tree}
    values = {name: math.nan if v is None else float(v) for name, v in measured.items()}
    return kind, LogLine(*progress, values, best)
