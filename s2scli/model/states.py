"""The values that pass between the parts of a model, and between a model and search or training.

Axes: B batch, S source length, T target length, D model, V vocabulary, L layers, A attention maps,
N = B x beam: the beam's rows of one sentence stand together. A map is one head of one layer; they
are counted layer by layer.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class StateShape:
    """The shape of a recurrent state: `parts` tensors of [num_layers, B, dim] (LSTM has two).

    A decoder without one has no parts, and `dim` is its width.
    """

    parts: int
    num_layers: int
    dim: int


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder makes of a batch of sources.

    Attributes:
        memory: encoder states, [B, S, D].
        memory_mask: True at real tokens, [B, S].
        final_state: the state after the last token, each part [L, B, D]; of an encoder that has
            none, the memory of the last real token.
        padded: whether any position of the memory is padding.
    """

    memory: Tensor
    memory_mask: Tensor
    final_state: tuple[Tensor, ...]
    padded: bool

    @property
    def attention_mask(self) -> Tensor | None:
        """The mask attention needs: none where every token is real."""
        return self.memory_mask if self.padded else None


@dataclass(frozen=True)
class Gaussian:
    """What a latent connection makes of a batch: q(z|x), every unit on its own.

    Attributes:
        mean: [B, Z].
        log_variance: [B, Z].
    """

    mean: Tensor
    log_variance: Tensor

    def at(self, noise: Tensor) -> Tensor:
        """Return m + s e for noise e, [N, Z] or [B, Z] (Kingma & Welling 2014, section 2.4)."""
        return self.mean + (self.log_variance / 2).exp() * noise


@dataclass(frozen=True)
class Connected:
    """What a connection hands the decoder.

    Attributes:
        initial: the decoder's first state, each part [L, B, D].
        vector: a summary of the source that the decoder sees at every step, [B, D], or None.
        latent: the distribution that all of it was drawn from, or None.
    """

    initial: tuple[Tensor, ...]
    vector: Tensor | None
    latent: Gaussian | None = None


class DecoderState(Protocol):
    """Everything a decoder remembers between steps, for B sentences of N / B rows each."""

    def reorder(self, indices: Tensor) -> Self:
        """Return the state whose row i is row `indices[i]` of this one, [N'].

        Rows stay with their sentence, and every sentence has the same number of rows.
        """
        ...

    def keep(self, sentences: Tensor) -> Self:
        """Return the state of the sentences of these indices only, [B']."""
        ...


State = TypeVar("State", bound=DecoderState)


@dataclass(frozen=True)
class DecoderOutput(Generic[State]):
    """What a decoder makes of T steps.

    Attributes:
        hidden: what the output layer reads, [N, T, D].
        attention_weights: [N, T, A, S]; None without attention, or if not asked for.
        state: the state after the last step.
    """

    hidden: Tensor
    attention_weights: Tensor | None
    state: State


@dataclass(frozen=True)
class DecoderStep:
    """What a model predicts for the next token.

    Attributes:
        logits: [N, V].
        state: the state to hand to the next step.
        attention_weights: [N, A, S]; None without attention, or if not asked for.
    """

    logits: Tensor
    state: DecoderState
    attention_weights: Tensor | None


@dataclass(frozen=True)
class ModelOutput:
    """What a model makes of a batch of pairs.

    Attributes:
        hidden: what the output layer reads, [B, T, D].
        attention_weights: [B, T, A, S]; None without attention, or if not asked for.
        latent: what a latent connection made of the sources, or None.
        encoded: what the encoder made of the sources.
    """

    hidden: Tensor
    attention_weights: Tensor | None
    latent: Gaussian | None
    encoded: EncoderOutput


class Pairs(Protocol):
    """The part of a training batch that a model reads (`data.Batch` is one)."""

    @property
    def source(self) -> Tensor:
        """Source ids, [B, S]."""
        ...

    @property
    def source_lengths(self) -> Tensor:
        """Real tokens of each source, [B]."""
        ...

    @property
    def target_input(self) -> Tensor:
        """The ids the decoder reads, [B, T]."""
        ...


def beam_rows(sentences: Tensor, beam: int) -> Tensor:
    """Return the indices of the `beam` rows of each of these sentences [B'], [B' x beam]."""
    return (sentences[:, None] * beam + torch.arange(beam, device=sentences.device)).flatten()


def length_mask(lengths: Tensor, width: int, device: torch.device) -> Tensor:
    """Return the mask that is True at the first `lengths` of `width` positions, [B, width]."""
    return torch.arange(width, device=device) < lengths.to(device)[:, None]
