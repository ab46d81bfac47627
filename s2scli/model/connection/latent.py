"""A Gaussian between encoder and decoder: what makes a variational autoencoder."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.model.connection.summary import SUMMARIES, as_state, state_size
from s2scli.model.kernels.linear import Linear
from s2scli.model.states import Connected, EncoderOutput, Gaussian, StateShape
from s2scli.settings import Settings, setting


class LatentConnectionSettings(Settings):
    """z ~ N(m, s^2), where m and log s^2 are linear in a summary of the source."""

    kind: Literal["latent"] = setting(
        "latent", "A Gaussian vector (Kingma & Welling 2014; Bowman et al. 2016)."
    )
    summary: Literal["last", "mean", "max"] = setting(
        "last",
        "Of the source: the encoder's last state, or the mean or the maximum of its memory, which "
        "keep the latent vector in use longer (Long, Cao & Cheung 2019).",
    )
    latent_dim: int = setting(32, "Width of the latent vector.", "units", ge=1, le=16384)
    every_step: bool = setting(True, "Show the decoder the latent vector at every step too.")

    def build(self, final: StateShape, memory_dim: int, initial: StateShape) -> "LatentConnection":
        """Return the connection."""
        summary_dim = final.dim if self.summary == "last" else memory_dim
        return LatentConnection(self, summary_dim, initial)


class LatentConnection(nn.Module):
    """Draws z in training, takes its mean in evaluation, and makes the decoder's first state."""

    has_prior = True

    def __init__(
        self, settings: LatentConnectionSettings, summary_dim: int, initial: StateShape
    ) -> None:
        super().__init__()
        self.summarise, self.initial = SUMMARIES[settings.summary], initial
        self.code_dim = settings.latent_dim
        self.vector_dim = settings.latent_dim if settings.every_step else 0
        self.posterior = Linear(summary_dim, 2 * settings.latent_dim)
        self.state = Linear(settings.latent_dim, state_size(initial)) if initial.parts else None

    def forward(self, output: EncoderOutput) -> Connected:
        """Return what the decoder starts from, z = m + s e, e ~ N(0, 1), or z = m.

        Kingma & Welling 2014, section 2.4.
        """
        latent = self.infer(output)
        z = latent.at(torch.randn_like(latent.mean)) if self.training else latent.mean
        return replace(self.connect(z), latent=latent)

    def infer(self, output: EncoderOutput) -> Gaussian:
        """Return q(z|x), in full precision."""
        found = self.posterior(self.summarise(output))
        precise = torch.promote_types(found.dtype, torch.float32)
        mean, log_variance = found.to(precise).chunk(2, -1)
        return Gaussian(mean, log_variance)

    def code(self, output: EncoderOutput) -> Tensor:
        """Return the vector that stands for each source, the mean of z, [B, Z]."""
        return self.infer(output).mean

    def connect(self, code: Tensor) -> Connected:
        """Return what the decoder starts from where z is `code`, [B, Z]."""
        initial = () if self.state is None else as_state(torch.tanh(self.state(code)), self.initial)
        return Connected(initial, code if self.vector_dim else None)
