"""The events that a training run yields."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One update was made. Not logged: it holds only what is known without asking the device.

    Attributes:
        step: updates made so far.
        epoch: epochs finished, with the share of the current one.
        seconds: time the run has taken.
    """

    step: int
    epoch: float
    seconds: float


@dataclass(frozen=True)
class Update:
    """The updates since the last report.

    Attributes:
        step: updates made so far.
        epoch: epochs finished, with the share of the current one.
        loss: what training minimizes, for each target token, in nats: the cross-entropy with label
            smoothing, and the KL term if there is one.
        tokens: target tokens read since the last report.
        learning_rate: of the last update.
        gradient_norm: of the last update, before clipping.
        seconds: time the run has taken.
        tokens_per_second: target tokens over time, since the last report.
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
class Validating:
    """A validation begins."""

    step: int


@dataclass(frozen=True)
class Validation:
    """Scores on the validation split.

    Attributes:
        step: updates made so far.
        epoch: epochs finished, with the share of the current one.
        seconds: time the run has taken.
        scores: loss (what training minimizes), perplexity (of the cross-entropy without label
            smoothing), token accuracy and text metrics, by name.
        best: whether the score of the criterion was never better.
    """

    step: int
    epoch: float
    seconds: float
    scores: Mapping[str, float]
    best: bool


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written, or could not be (`fault` says why)."""

    step: int
    fault: str = ""


@dataclass(frozen=True)
class Finished:
    """The run ended.

    Attributes:
        step: updates made.
        reason: why, in words.
        signal: the one that asked for it, or 0.
        limit: the name of the limit that was reached, or "".
    """

    step: int
    reason: str
    signal: int = 0
    limit: str = ""


Event = Step | Update | Validating | Validation | Saved | Finished
