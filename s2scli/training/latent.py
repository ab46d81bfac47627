"""The Kullback-Leibler term of a variational autoencoder, and what tells that it is alive."""

from dataclasses import dataclass, replace

from torch import Tensor

from s2scli.model.states import Gaussian
from s2scli.training.annealing import KLSettings

ACTIVE_VARIANCE = 0.01
COLLAPSED_NATS = 0.1
FULL_WEIGHT = 0.5


def kl_divergence(latent: Gaussian) -> Tensor:
    """Return KL(q(z|x) || N(0, 1)) of every unit in nats, [B, Z].

    -1/2 (1 + log s^2 - m^2 - s^2) (Kingma & Welling 2014, appendix B).
    """
    mean, log_variance = latent.mean, latent.log_variance
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())


def kl_objective(latent: Gaussian, settings: KLSettings, step: int) -> Tensor:
    """Return the term that the objective of a batch has at update `step`, in nats, a scalar.

    weight(step) x B x sum_j max(free_bits, mean_b KL_bj) (Kingma et al. 2016, eq. 15, with each
    unit as a group of its own).
    """
    units = kl_divergence(latent).mean(0).clamp(min=settings.free_bits)  # [Z]
    return settings.annealing.weight(step) * len(latent.mean) * units.sum()


@dataclass(frozen=True)
class LatentSums:
    """Sums over the sentences that a latent connection was asked about.

    Attributes:
        sentences: how many.
        kl: of the divergence, in nats.
        mean: of the posterior means, [Z].
        square: of their squares, [Z].
    """

    sentences: int
    kl: float
    mean: Tensor
    square: Tensor

    @classmethod
    def of(cls, latent: Gaussian) -> "LatentSums":
        """Return the sums over one batch."""
        mean = latent.mean.double()
        return cls(len(mean), float(kl_divergence(latent).sum()), mean.sum(0), mean.square().sum(0))

    def __add__(self, other: "LatentSums") -> "LatentSums":
        """Return the sums over both."""
        return replace(
            self,
            sentences=self.sentences + other.sentences,
            kl=self.kl + other.kl,
            mean=self.mean + other.mean,
            square=self.square + other.square,
        )

    @property
    def kl_per_sentence(self) -> float:
        """The mean divergence, in nats."""
        return self.kl / self.sentences

    @property
    def active_units(self) -> int:
        """Units whose posterior mean varies from sentence to sentence: variance > 0.01.

        Burda, Grosse & Salakhutdinov 2016, section 5.2.
        """
        mean = self.mean / self.sentences
        variance = self.square / self.sentences - mean.square()
        return int((variance > ACTIVE_VARIANCE).sum())


def has_collapsed(kl_per_sentence: float, settings: KLSettings, step: int) -> bool:
    """Whether the latent vector says nothing although its price is (half) in force."""
    return kl_per_sentence < COLLAPSED_NATS and settings.annealing.weight(step) >= FULL_WEIGHT
