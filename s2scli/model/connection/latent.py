"""A Gaussian latent vector between encoder and decoder, as in a variational autoencoder."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.model.connection.summary import SUMMARIES, as_state, state_size
from s2scli.model.kernels.linear import Linear
from s2scli.model.states import Connected, EncoderOutput, Gaussian, StateShape
from s2scli.settings import Settings, setting


class LatentConnectionSettings(Settings):
    """A latent vector z ~ N(m, s^2); m and log s^2 are linear in a summary of the source."""

    kind: Literal["latent"] = setting(
        "latent", "A Gaussian latent vector (Kingma & Welling 2014; Bowman et al. 2016)."
    )
    summary: Literal["last", "mean", "max"] = setting(
        "last",
        "Summary of the source: the encoder's final state (last), or the mean or maximum of its "
        "outputs. mean and max reduce posterior collapse (Long, Cao & Cheung 2019).",
    )
    latent_dim: int = setting(32, "Width of the latent vector.", "units", ge=1, le=16384)
    every_step: bool = setting(True, "Also feed the latent vector to the decoder at every step.")

    def build(self, final: StateShape, memory_dim: int, initial: StateShape) -> "LatentConnection":
        """Return the connection."""
        summary_dim = final.dim if self.summary == "last" else memory_dim
        return LatentConnection(self, summary_dim, initial)


class LatentConnection(nn.Module):
    """Computes the decoder's initial state from z: a sample in training, the mean otherwise."""

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
        """Return the decoder's initial state and vector, computed from the latent vector z.

        In training z = m + s e with e ~ N(0, 1) (Kingma & Welling 2014, section 2.4). In
        evaluation z = m.
        """
        latent = self.infer(output)
        z = latent.at(torch.randn_like(latent.mean)) if self.training else latent.mean
        return replace(self.connect(z), latent=latent)

    def infer(self, output: EncoderOutput) -> Gaussian:
        """Return the posterior q(z|x), in float32 or higher precision."""
        found = self.posterior(self.summarise(output))
        precise = torch.promote_types(found.dtype, torch.float32)
        mean, log_variance = found.to(precise).chunk(2, -1)
        return Gaussian(mean, log_variance)

    def code(self, output: EncoderOutput) -> Tensor:
        """Return the mean of z for each source, [B, Z]."""
        return self.infer(output).mean

    def connect(self, code: Tensor) -> Connected:
        """Turn latent vectors [B, Z] into the decoder's initial state and vector."""
        initial = () if self.state is None else as_state(torch.tanh(self.state(code)), self.initial)
        return Connected(initial, code if self.vector_dim else None)
