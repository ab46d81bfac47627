"""The events that a training run yields."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """An update was made. This event is not logged; it needs no synchronization with the device.

    Attributes:
        step: updates made so far.
        epoch: epochs finished, including the fraction of the current one.
        seconds: time the run has taken so far.
    """

    step: int
    epoch: float
    seconds: float


@dataclass(frozen=True)
class Update:
    """A report on the updates since the last report.

    Attributes:
        step: updates made so far.
        epoch: epochs finished, including the fraction of the current one.
        loss: mean training objective per target token, in nats: the cross-entropy with label
            smoothing, plus all other terms that are used; NaN if every update was skipped.
        tokens: target tokens of the updates since the last report, without skipped ones.
        learning_rate: learning rate of the last update.
        gradient_norm: norm of the gradient of the last update, before clipping.
        seconds: time the run has taken so far.
        tokens_per_second: target tokens per second of training time since the last report.
    """

    step: int
    epoch: float
    loss: float
    tokens: int
    learning_rate: float
    gradient_norm: float
    seconds: float
    tokens_per_second: float


@dataclass(frozen=True)
class Skipped:
    """An update was skipped, because its loss or gradient was not finite.

    Attributes:
        step: the number of the update.
        epoch: epochs finished before it.
        seconds: time the run took until then.
        rows: the numbers of its examples in the training split, from 0.
    """

    step: int
    epoch: float
    seconds: float
    rows: tuple[int, ...]


@dataclass(frozen=True)
class RolledBack:
    """Too many updates in a row were skipped, so the run went back to the weights of a checkpoint.

    Attributes:
        step: updates made so far.
        epoch: epochs finished.
        seconds: time the run has taken so far.
        checkpoint: the step of the checkpoint.
    """

    step: int
    epoch: float
    seconds: float
    checkpoint: int


@dataclass(frozen=True)
class Split:
    """A batch did not fit into memory.

    Attributes:
        step: the number of the update.
        epoch: epochs finished.
        seconds: time the run has taken so far.
        splits: how often a batch was split; the gradient is that of the whole batch.
        rows: the numbers of the examples that do not fit even alone, and were left out.
    """

    step: int
    epoch: float
    seconds: float
    splits: int
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Validating:
    """A validation starts."""

    step: int


@dataclass(frozen=True)
class Validation:
    """Scores on the validation split.

    Attributes:
        step: updates made so far.
        epoch: epochs finished, including the fraction of the current one.
        seconds: time the run has taken so far.
        scores: loss (with label smoothing), perplexity (without label smoothing), token accuracy
            and text metrics, by name.
        best: whether the score of the criterion is the best so far.
        signs: what a diagnosis looks at (`training.signs`), by name.
    """

    step: int
    epoch: float
    seconds: float
    scores: Mapping[str, float]
    best: bool
    signs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """A validation found something wrong with the run (`training.diagnosis`).

    Attributes:
        step: updates made so far.
        epoch: epochs finished, including the fraction of the current one.
        seconds: time the run has taken so far.
        name: the rule that found it.
        advice: what was seen, the likely cause, and what to try next.
    """

    step: int
    epoch: float
    seconds: float
    name: str
    advice: str


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written; if writing failed, `fault` says why."""

    step: int
    fault: str = ""


@dataclass(frozen=True)
class Finished:
    """The run ended.

    Attributes:
        step: updates made.
        reason: why the run ended, as text.
        signal: the signal that asked for the stop, or 0.
        limit: the name of the limit that was reached, or "".
    """

    step: int
    reason: str
    signal: int = 0
    limit: str = ""


Fault = Skipped | RolledBack | Split
Event = Step | Update | Fault | Validating | Validation | Finding | Saved | Finished
