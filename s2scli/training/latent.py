"""The KL term of a variational autoencoder, and measures of posterior collapse."""

from collections.abc import Sequence

import torch
from torch import Tensor

from s2scli.model.states import Gaussian
from s2scli.training.annealing import KLSettings

ACTIVE_VARIANCE = 0.01
COLLAPSED_NATS = 0.1
CHARGED_WEIGHT = 0.5


def kl_divergence(latent: Gaussian) -> Tensor:
    """Return KL(q(z|x) || N(0, 1)) of each latent unit, in nats, [B, Z].

    It is -1/2 (1 + log s^2 - m^2 - s^2) (Kingma & Welling 2014, appendix B).
    """
    mean, log_variance = latent.mean, latent.log_variance
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())


def kl_objective(latent: Gaussian, settings: KLSettings, step: int) -> Tensor:
    """Return the KL term of a batch's objective at update `step`, in nats, a scalar.

    It is weight(step) x B x sum_j max(free_bits, mean_b KL_bj) (Kingma et al. 2016, eq. 15, with
    one unit per group).
    """
    units = kl_divergence(latent).mean(0).clamp(min=settings.free_bits)  # [Z]
    return settings.annealing.weight(step) * len(latent.mean) * units.sum()


def active_units(means: Tensor) -> int:
    """Return the number of active units: those whose mean has a variance > 0.01 across sentences.

    See Burda, Grosse & Salakhutdinov 2016, section 5.2.

    Args:
        means: the mean of each unit for each sentence, [sentences, Z].
    """
    return int((means.var(0, correction=0) > ACTIVE_VARIANCE).sum())


def join(latents: Sequence[Gaussian]) -> Gaussian:
    """Concatenate the distributions of several batches."""
    return Gaussian(
        torch.cat([latent.mean for latent in latents]),
        torch.cat([latent.log_variance for latent in latents]),
    )


def has_collapsed(kl_per_sentence: float, settings: KLSettings, step: int) -> bool:
    """Return whether the KL is near 0 although its weight is at least 1/2.

    The decoder then ignores the latent vector.
    """
    charged = step > 0 and settings.annealing.weight(step) >= CHARGED_WEIGHT
    return charged and kl_per_sentence < COLLAPSED_NATS
