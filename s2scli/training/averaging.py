"""Averages of weights: a moving average during training, and the mean of several checkpoints."""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from s2scli.model.weights import check_weights, model_weights


class MovingAverage:
    """An exponential moving average of a model's weights (Polyak & Juditsky 1992).

    It starts with the weights of the first update passed to `follow`. Before that, and if `decay`
    is 0, there is no average.

    Args:
        model: the model whose weights are averaged.
        decay: the share of the old average that each update keeps; 0 turns averaging off.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def follow(self, step: int, updated: Tensor | bool = True) -> None:
        """Add the model's weights after update `step` (the first is 1) to the average.

        Args:
            step: the number of the update.
            updated: a scalar, maybe on the device; False leaves the average unchanged.
        """
        if not self.decay:
            return
        weights = model_weights(self.model)
        if not self.weights:
            self.weights = {name: weight.clone() for name, weight in weights.items()}
            return
        share = (1 - decay_at(self.decay, step)) * updated
        for average, weight in zip(self.weights.values(), weights.values(), strict=True):
            average.lerp_(weight, share)

    def load(self, weights: Mapping[str, Tensor], where: str) -> None:
        """Restore the average from a checkpoint; there is none if `weights` is empty.

        Raises:
            CheckpointError: the weights do not fit this model.
        """
        if not weights:
            self.weights = {}
            return
        own = model_weights(self.model)
        check_weights(own, weights, where)
        self.weights = {name: weights[name].to(weight, copy=True) for name, weight in own.items()}


def decay_at(decay: float, step: int) -> float:
    """Return the decay at update `step`: min(decay, (1 + step) / (10 + step)).

    This is the rule of TensorFlow's `tf.train.ExponentialMovingAverage`. The decay starts small, so
    that the average forgets the poor weights of the first updates quickly.
    """
    return min(decay, (1 + step) / (10 + step))


@contextlib.contextmanager
def wearing(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Replace a model's weights by name inside the block, then restore them.

    A weight that is not in `weights` stays unchanged.
    """
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


class Mean:
    """The mean of several sets of weights by name, computed in double precision.

    Only their sum is in memory.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, weights: Mapping[str, Tensor]) -> None:
        """Include another set of weights, with the same names."""
        self._count += 1
        for name, weight in weights.items():
            before = self._sums.get(name)
            self._sums[name] = weight.double() if before is None else before + weight

    @property
    def weights(self) -> dict[str, Tensor]:
        """The mean in single precision."""
        return {name: (total / self._count).float() for name, total in self._sums.items()}
