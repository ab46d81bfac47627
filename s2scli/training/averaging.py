"""Averages of weights: a moving one while a run goes on, and the mean of some checkpoints."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from s2scli.model.weights import check_weights, model_weights


class MovingAverage:
    """An exponential moving average of a model's weights (Polyak & Juditsky 1992).

    It begins with the weights of the first update that is counted; before, and where `decay` is
    0, there is none.

    Args:
        model: whose weights.
        decay: the factor by which an update's weights lose their share at the next; 0 is off.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Add the model's weights after update `step` (the first is 1) to the average."""
        if not self.decay:
            return
        weights = model_weights(self.model)
        if not self.weights:
            self.weights = {name: weight.clone() for name, weight in weights.items()}
            return
        share = 1 - decay_at(self.decay, step)
        torch._foreach_lerp_(list(self.weights.values()), list(weights.values()), share)

    def load(self, weights: Mapping[str, Tensor], where: str) -> None:
        """Continue an average from a checkpoint; an empty one leaves none.

        Raises:
            CheckpointError: they are not weights of this model.
        """
        if not weights:
            return
        own = model_weights(self.model)
        check_weights(own, weights, where)
        self.weights = {name: weights[name].to(weight, copy=True) for name, weight in own.items()}


def decay_at(decay: float, step: int) -> float:
    """Return the decay at update `step`: min(decay, (1 + step) / (10 + step)).

    The rule of TensorFlow's `tf.train.ExponentialMovingAverage`: weights of the first updates,
    which are far from good ones, are soon forgotten.
    """
    return min(decay, (1 + step) / (10 + step))


@contextlib.contextmanager
def wearing(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Give a model these weights, by name, for a while; without any it keeps its own."""
    own = {name: weight for name, weight in model_weights(model).items() if name in weights}
    kept = {name: weight.detach().clone() for name, weight in own.items()}
    _put(own, weights)
    try:
        yield
    finally:
        _put(own, kept)


@torch.no_grad()
def _put(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    for name, weight in own.items():
        weight.copy_(weights[name])


def mean_weights(several: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of several sets of weights, by name, computed in double precision."""
    first, *_ = several
    return {
        name: torch.stack([weights[name].double() for weights in several]).mean(0).to(weight)
        for name, weight in first.items()
    }
