"""Settings that build the optimizers of torch.optim. Only `build` imports torch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from s2scli.settings import Settings, setting

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


def _rate(default: float) -> float:
    value: float = setting(
        default,
        "Base learning rate; the schedule multiplies it.",
        flags=("--learning-rate", "--lr"),
        panel="Training",
        gt=0,
    )
    return value


def _decay(default: float) -> float:
    value: float = setting(default, "Weight decay.", ge=0)
    return value


class AdamSettings(Settings):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"] = setting("adam", "Adam (Kingma & Ba 2015).")
    learning_rate: float = _rate(0.001)
    beta1: float = setting(0.9, "Decay rate of the running mean of gradients.", ge=0, lt=1)
    beta2: float = setting(
        0.999, "Decay rate of the running mean of squared gradients.", ge=0, lt=1
    )
    epsilon: float = setting(1e-8, "Added to the denominator.", gt=0)

    @property
    def copies(self) -> int:
        """The number of state values for each weight."""
        return 2

    def build(self, weights: Mapping[str, "nn.Parameter"]) -> "Optimizer":
        """Build the optimizer for these weights, given by name."""
        from torch.optim import Adam

        betas = (self.beta1, self.beta2)
        return Adam(
            weights.values(), lr=self.learning_rate, betas=betas, eps=self.epsilon, fused=True
        )


class AdamWSettings(Settings):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"] = setting("adamw", "AdamW (Loshchilov & Hutter 2019).")
    learning_rate: float = _rate(0.001)
    beta1: float = setting(0.9, "Decay rate of the running mean of gradients.", ge=0, lt=1)
    beta2: float = setting(
        0.999, "Decay rate of the running mean of squared gradients.", ge=0, lt=1
    )
    epsilon: float = setting(1e-8, "Added to the denominator.", gt=0)
    weight_decay: float = _decay(0.01)

    @property
    def copies(self) -> int:
        """The number of state values for each weight."""
        return 2

    def build(self, weights: Mapping[str, "nn.Parameter"]) -> "Optimizer":
        """Build the optimizer for these weights, given by name."""
        from torch.optim import AdamW

        return AdamW(
            weights.values(),
            lr=self.learning_rate,
            betas=(self.beta1, self.beta2),
            eps=self.epsilon,
            weight_decay=self.weight_decay,
            fused=True,
        )


class SGDSettings(Settings):
    """Stochastic gradient descent."""

    kind: Literal["sgd"] = setting("sgd", "Stochastic gradient descent.")
    learning_rate: float = _rate(1.0)
    momentum: float = setting(0.0, "Momentum.", ge=0, lt=1)
    weight_decay: float = _decay(0.0)

    @property
    def copies(self) -> int:
        """The number of state values for each weight."""
        return int(self.momentum > 0)

    def build(self, weights: Mapping[str, "nn.Parameter"]) -> "Optimizer":
        """Build the optimizer for these weights, given by name."""
        from torch import zeros_like
        from torch.optim import SGD

        optimizer = SGD(
            weights.values(),
            lr=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            fused=True,
        )
        for weight in weights.values() if self.momentum else ():
            # else a first update that is skipped leaves it uninitialized
            optimizer.state[weight]["momentum_buffer"] = zeros_like(weight)
        return optimizer


class RMSpropSettings(Settings):
    """RMSprop (Tieleman & Hinton 2012)."""

    kind: Literal["rmsprop"] = setting("rmsprop", "RMSprop (Tieleman & Hinton 2012).")
    learning_rate: float = _rate(0.001)
    alpha: float = setting(0.9, "Decay rate of the running mean of squared gradients.", ge=0, lt=1)
    epsilon: float = setting(1e-7, "Added to the denominator.", gt=0)
    momentum: float = setting(0.0, "Momentum.", ge=0, lt=1)

    @property
    def copies(self) -> int:
        """The number of state values for each weight."""
        return 1 + (self.momentum > 0)

    def build(self, weights: Mapping[str, "nn.Parameter"]) -> "Optimizer":
        """Build the optimizer for these weights, given by name."""
        from torch.optim import RMSprop

        return RMSprop(
            weights.values(),
            lr=self.learning_rate,
            alpha=self.alpha,
            eps=self.epsilon,
            momentum=self.momentum,
        )


class AdafactorSettings(Settings):
    """Adafactor (Shazeer & Stern 2018)."""

    kind: Literal["adafactor"] = setting("adafactor", "Adafactor (Shazeer & Stern 2018).")
    learning_rate: float = _rate(0.01)
    weight_decay: float = _decay(0.0)

    @property
    def copies(self) -> int:
        """The number of state values for each weight: about 0, only one per row and column."""
        return 0

    def build(self, weights: Mapping[str, "nn.Parameter"]) -> "Optimizer":
        """Build the optimizer for these weights, given by name."""
        from torch.optim import Adafactor

        return Adafactor(weights.values(), lr=self.learning_rate, weight_decay=self.weight_decay)


class MuonSettings(Settings):
    """Muon for the matrices of encoder, connection and decoder, Adam for the rest.

    The rest are tables of tokens, what reads sound and pictures, the output layer, norms and biases
    (Jordan et al. 2024). The update of a matrix is orthogonalised, then scaled so that Muon and
    Adam can share one learning rate (Liu et al. 2025, Muon is scalable for LLM training, eq. 4).
    """

    kind: Literal["muon"] = setting(
        "muon", "Muon for matrices, Adam for the rest (Jordan et al. 2024)."
    )
    learning_rate: float = _rate(0.003)
    momentum: float = setting(0.95, "Muon's momentum.", ge=0, lt=1)
    beta1: float = setting(0.9, "Adam's decay rate of the running mean of gradients.", ge=0, lt=1)
    beta2: float = setting(
        0.98, "Adam's decay rate of the running mean of squared gradients.", ge=0, lt=1
    )
    epsilon: float = setting(1e-8, "Added to Adam's denominator.", gt=0)
    weight_decay: float = _decay(0.0)

    @property
    def copies(self) -> int:
        """The number of state values for each weight of a hidden matrix."""
        return 1

    def build(self, weights: Mapping[str, "nn.Parameter"]) -> "Optimizer":
        """Build the optimizer for these weights, given by name."""
        from s2scli.training.muon import MuonWithAdam

        return MuonWithAdam(
            weights,
            self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            betas=(self.beta1, self.beta2),
            epsilon=self.epsilon,
        )
