"""Data classes passed between the parts of a model, and from a model to search and training.

Axes: B batch, S source length, T target length, D model, V vocabulary, L layers, A attention maps
(one for each head of each layer, in the order of the layers), N = B x beam. The N rows are grouped
by sentence.
"""

from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class StateShape:
    """The shape of a recurrent state: `parts` tensors of [num_layers, B, dim] (LSTM has two).

    A decoder without a recurrent state has 0 parts; `dim` is then its model width.
    """

    parts: int
    num_layers: int
    dim: int


@dataclass(frozen=True)
class EncoderOutput:
    """The output of an encoder for a batch of sources.

    Attributes:
        memory: encoder states, [B, S, D].
        memory_mask: True at real tokens, [B, S].
        final_state: the state after the last token, each part [L, B, D]. A Transformer encoder
            returns its memory at the last real token, as one part with one layer.
        padded: whether any position of the memory is padding.
        copies: the target id that a copy of each source token has, [B, S]; None if the model does
            not copy.
    """

    memory: Tensor
    memory_mask: Tensor
    final_state: tuple[Tensor, ...]
    padded: bool
    copies: Tensor | None = None

    @property
    def attention_mask(self) -> Tensor | None:
        """The mask for attention, [B, S]; None if the batch has no padding."""
        return self.memory_mask if self.padded else None


@dataclass(frozen=True)
class Gaussian:
    """The posterior q(z|x) of a latent connection: a Gaussian with diagonal covariance.

    Attributes:
        mean: [B, Z].
        log_variance: [B, Z].
    """

    mean: Tensor
    log_variance: Tensor

    def at(self, noise: Tensor) -> Tensor:
        """Return mean + standard deviation * noise (Kingma & Welling 2014, section 2.4).

        Args:
            noise: samples from a standard normal distribution, [B, Z], or [N, Z] if B = 1.
        """
        return self.mean + (self.log_variance / 2).exp() * noise


@dataclass(frozen=True)
class Connected:
    """The output of a connection, from which the decoder starts.

    Attributes:
        initial: the decoder's initial state, each part [L, B, D].
        vector: a summary of the source that the decoder reads at every step, [B, D], or None.
        latent: the distribution of the latent vector, or None if the connection has none.
    """

    initial: tuple[Tensor, ...]
    vector: Tensor | None
    latent: Gaussian | None = None


class DecoderState(Protocol):
    """Everything a decoder remembers between steps, for B sentences of N / B rows each."""

    def reorder(self, indices: Tensor) -> Self:
        """Return the state whose row i is row `indices[i]` of this one.

        Args:
            indices: row indices, [N']. They must keep rows grouped by sentence, with the same
                number of rows for every sentence.
        """
        ...

    def keep(self, sentences: Tensor) -> Self:
        """Return the state of the sentences with these indices [B'] only."""
        ...


State = TypeVar("State", bound=DecoderState)


@dataclass(frozen=True)
class DecoderOutput(Generic[State]):
    """The output of a decoder for T steps.

    Attributes:
        hidden: the input of the output layer, [N, T, D].
        attention_weights: [N, T, A, S]; None without attention, or if not requested.
        state: the state after the last step.
    """

    hidden: Tensor
    attention_weights: Tensor | None
    state: State


class Decoder(Protocol):
    """The part of a decoder that an output layer uses.

    Attributes:
        output_dim: width of the input of the output layer.
        attention_shape: the numbers of layers with attention and of heads per layer; None without
            attention.
    """

    output_dim: int
    attention_shape: tuple[int, int] | None

    def __call__(self, embedded: Tensor, state: Any, *, attention: bool) -> DecoderOutput[Any]:
        """Run T steps on embeddings [N, T, E]."""
        ...


@dataclass(frozen=True)
class DecoderStep:
    """The prediction of a model for the next token.

    Attributes:
        logits: [N, V]; of a model that copies, [N, V + S], where V + s is the source token s.
        state: the state to pass to the next step.
        attention_weights: [N, A, S]; None without attention, or if not requested.
        p_copy: the probability of copying, [N]; None if the model does not copy.
    """

    logits: Tensor
    state: DecoderState
    attention_weights: Tensor | None
    p_copy: Tensor | None = None


@dataclass(frozen=True)
class ModelOutput:
    """The output of a model for a batch of pairs.

    Attributes:
        hidden: the input of the output layer, [B, T, D].
        attention_weights: [B, T, A, S]; None without attention, or if not requested.
        latent: the posterior of a latent connection, or None.
        encoded: the output of the encoder.
        p_copy: the probability of copying, [B, T]; None if the model does not copy.
    """

    hidden: Tensor
    attention_weights: Tensor | None
    latent: Gaussian | None
    encoded: EncoderOutput
    p_copy: Tensor | None = None


class Pairs(Protocol):
    """The part of a training batch that a model reads (`data.Batch` is one)."""

    @property
    def source(self) -> Tensor:
        """Source token ids, [B, S]; for a model that copies, with target ids, [B, S, 2]."""
        ...

    @property
    def source_lengths(self) -> Tensor:
        """The number of real tokens in each source, [B]."""
        ...

    @property
    def target_input(self) -> Tensor:
        """The token ids the decoder reads, [B, T]."""
        ...


def beam_rows(sentences: Tensor, beam: int) -> Tensor:
    """Return the row indices [B' x beam] of these sentences [B'], which have `beam` rows each."""
    return (sentences[:, None] * beam + torch.arange(beam, device=sentences.device)).flatten()


def length_mask(lengths: Tensor, width: int, device: torch.device) -> Tensor:
    """Return a mask that is True at the first `lengths[i]` positions of row i, [B, width]."""
    return torch.arange(width, device=device) < lengths.to(device, non_blocking=True)[:, None]
