"""Muon and Adam combined in one optimizer."""

from collections.abc import Callable, Mapping
from typing import Any, overload

import torch
from torch import nn
from torch.optim import Adam, Muon, Optimizer

OUTER = ("source", "target", "output", "ctc")  # what reads tokens, sound or pictures, and writes


class MuonWithAdam(Optimizer):
    """Muon for the matrices of encoder, connection and decoder, Adam for all other weights.

    Both use the state and the learning rates of this optimizer.
    """

    def __init__(
        self,
        weights: Mapping[str, nn.Parameter],
        learning_rate: float,
        *,
        momentum: float,
        weight_decay: float,
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        matrices = [weight for name, weight in weights.items() if is_hidden_matrix(name, weight)]
        others = [weight for name, weight in weights.items() if not is_hidden_matrix(name, weight)]
        parts: list[Optimizer] = []
        if matrices:
            parts.append(
                Muon(
                    matrices,
                    learning_rate,
                    weight_decay,
                    momentum,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        if others:
            parts.append(Adam(others, learning_rate, betas, epsilon, fused=True))
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.parts = parts
        self._share()

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update all weights once."""
        loss = None if closure is None else closure()
        for part in self.parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a saved state."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Make the parts use the state and the parameter groups of this optimizer."""
        for part, group in zip(self.parts, self.param_groups, strict=True):
            part.state, part.param_groups = self.state, [group]


def is_hidden_matrix(name: str, weight: torch.Tensor) -> bool:
    """Return whether a weight is a matrix of the encoder, the connection or the decoder."""
    return weight.ndim == 2 and name.partition(".")[0] not in OUTER
