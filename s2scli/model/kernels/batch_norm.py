"""Batch normalization of padded batches."""

import torch
from torch import Tensor, nn

SHARE = 0.1  # of a batch in the running statistics
EPSILON = 1e-5


class BatchNorm(nn.Module):
    """Normalizes channels over a batch (Ioffe & Szegedy 2015), without its padding.

    The running mean and variance are parameters without a gradient, so that they are saved,
    averaged and loaded like all weights. A frozen norm uses them in training as well.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        shape = (dim, 1, 1)
        self.gain, self.bias = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))
        self.mean = nn.Parameter(torch.zeros(shape), requires_grad=False)
        self.variance = nn.Parameter(torch.ones(shape), requires_grad=False)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return the normalized states, [B, C, T, F].

        Args:
            states: channels of time and frequency, [B, C, T, F].
            mask: True at real positions, [B, 1, T, 1].
        """
        learns = self.training and self.gain.requires_grad
        mean, variance = self._follow(states, mask) if learns else (self.mean, self.variance)
        return (states - mean) * (self.gain * (variance + EPSILON).rsqrt()) + self.bias

    def _follow(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and variance of the batch, [C, 1, 1]; update the running ones."""
        states, real = states.float(), mask.float()
        count = real.sum() * states.shape[3]
        [mean] = (states * real).sum((0, 2, 3), keepdim=True) / count
        [variance] = ((states - mean) * real).square().sum((0, 2, 3), keepdim=True) / count
        with torch.no_grad():
            finite = variance.isfinite()  # otherwise the update will be skipped
            self.mean.lerp_(torch.where(finite, mean, self.mean), SHARE)
            self.variance.lerp_(torch.where(finite, variance, self.variance), SHARE)
        return mean, variance


def running_statistics(model: nn.Module, *, frozen: bool = True) -> list[nn.Parameter]:
    """Return the running means and variances of a model's batch norms.

    Args:
        model: the model.
        frozen: include those of frozen norms, which training does not change.
    """
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    wanted = [norm for norm in norms if frozen or norm.gain.requires_grad]
    return [statistic for norm in wanted for statistic in (norm.mean, norm.variance)]
