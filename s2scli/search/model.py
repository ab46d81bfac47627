"""The interface that the search needs from a model; `Seq2Seq` and `Ensemble` implement it."""

from typing import Protocol, TypeVar

from torch import Tensor

from s2scli.model.states import DecoderState, DecoderStep, ModelOutput, Pairs

Encoded = TypeVar("Encoded")


class Model(Protocol[Encoded]):
    """A model in evaluation mode."""

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """The number of layers and heads of the attention; None without attention."""
        ...

    @property
    def has_ctc(self) -> bool:
        """Whether the encoder has a CTC layer."""
        ...

    def encode(self, source: Tensor, lengths: Tensor, /) -> Encoded:
        """Encode sources [B, ...] of these lengths [B]."""
        ...

    def positions(self, lengths: Tensor, /) -> Tensor:
        """Return how many encoder states sources of these lengths have, [B]."""
        ...

    def ctc_log_probs(self, encoder_output: Encoded, /) -> Tensor:
        """Return log-probabilities of the CTC layer's symbols at each state, [B, S, V]."""
        ...

    def start(self, encoder_output: Encoded, /) -> DecoderState:
        """Return the state before the first token, one row for each sentence."""
        ...

    def step(
        self, token_ids: Tensor, state: DecoderState, /, *, attention: bool = False
    ) -> DecoderStep:
        """Read one token per row [N] and predict the next."""
        ...

    def __call__(self, batch: Pairs, /, *, attention: bool = False) -> ModelOutput:
        """Read all tokens of the targets in a batch at once."""
        ...

    def logits(self, hidden: Tensor, /) -> Tensor:
        """Return the logits [B, T, V] of the `hidden` output of `__call__`."""
        ...
