"""`s2s inspect training`: the history of a run."""

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
from s2scli.training.stopping import Criterion
from s2scli.workspace import Workspace


@dataclass(frozen=True)
class LogLine:
    """One line of `metrics.jsonl`.

    Attributes:
        step: updates made so far.
        epoch: epochs finished, with the share of the current one.
        seconds: time the run has taken.
        values: everything measured, by name; NaN where it was not finite.
        best: whether this validation's weights became the model.
    """

    step: int
    epoch: float
    seconds: float
    values: dict[str, float]
    best: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The record as JSON; null where a value is not finite."""
        values = {name: v if math.isfinite(v) else None for name, v in self.values.items()}
        when = {"step": self.step, "epoch": self.epoch, "seconds": self.seconds}
        return {**when, "best": self.best, **values}


@dataclass(frozen=True)
class History:
    """What `metrics.jsonl` holds: its update lines and its validation lines, in order.

    Attributes:
        updates: the update lines.
        validations: the validation lines.
        criterion: the score that selects the best checkpoint.
    """

    updates: tuple[LogLine, ...]
    validations: tuple[LogLine, ...]
    criterion: Criterion

    @property
    def best(self) -> LogLine | None:
        """The validation whose weights are the model."""
        return next((record for record in reversed(self.validations) if record.best), None)

    @property
    def outlook(self) -> Outlook:
        """Whether more training is worth it."""
        return judge({record.step: record.values for record in self.validations}, self.criterion)

    @property
    def scores(self) -> list[str]:
        """The names of everything measured at a validation, in the order of their first line."""
        return list(dict.fromkeys(name for record in self.validations for name in record.values))


def inspect_training(workspace: Workspace) -> History:
    """Read the history of the workspace's run; a last line cut short by a crash is left out.

    Raises:
        MissingInputError: there is no `metrics.jsonl`, or nothing in it yet.
        CheckpointError: a line is not what `s2s train` writes.
    """
    path = workspace.training / "metrics.jsonl"
    updates: list[LogLine] = []
    validations: list[LogLine] = []
    log = MetricsLog(path)
    if line := log.damaged_line():
        raise CheckpointError(
            f"{path}, line {line}: damaged, expected the updates and validations of s2s"
        )
    for tree in log.read():
        kind, record = _read_record(tree)
        (updates if kind == "update" else validations).append(record)
    if not updates and not validations:
        raise MissingInputError(
            f"{path}: no training to look at yet; start it with `s2s train`, or wait for its "
            "first report"
        )
    return History(tuple(updates), tuple(validations), _criterion(workspace.model, validations))


def _criterion(model: Path, validations: Sequence[LogLine]) -> Criterion:
    """Return the criterion of the run's model; the usual one, or the loss, if there is no model."""
    try:
        chosen = load_recipe(str(model / "recipe.toml")).criterion
    except (CheckpointError, ConfigError, MissingInputError):
        chosen = Recipe().criterion
    measured = any(chosen.name in record.values for record in validations)
    return chosen if measured else CRITERIA["loss"]


def _read_record(tree: Tree) -> tuple[str, LogLine]:
    """Return the kind and the content of one line of `metrics.jsonl`."""
    kind, best = tree.pop("kind"), tree.pop("best", False) is True
    progress = (tree.pop("step"), float(tree.pop("epoch")), float(tree.pop("seconds")))
    measured = {**tree.pop("scores", {}), **tree}
    values = {name: math.nan if v is None else float(v) for name, v in measured.items()}
    return kind, LogLine(*progress, values, best)
