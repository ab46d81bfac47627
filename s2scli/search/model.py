"""What a search needs of a model; `Seq2Seq` and `Ensemble` have it."""

from typing import Protocol, TypeVar

from torch import Tensor

from s2scli.model.states import DecoderState, DecoderStep, ModelOutput, Pairs

Encoded = TypeVar("Encoded")


class Model(Protocol[Encoded]):
    """The four verbs and the output layer of a model in evaluation mode."""

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """Layers and heads that attend; None without attention."""
        ...

    def encode(self, source: Tensor, lengths: Tensor, /) -> Encoded:
        """Encode sources [B, ...] of these lengths [B]."""
        ...

    def positions(self, lengths: Tensor, /) -> Tensor:
        """Return how many encoder states sources of these lengths have, [B]."""
        ...

    def start(self, encoder_output: Encoded, /) -> DecoderState:
        """Return the state before the first token, one row for each sentence."""
        ...

    def step(
        self, token_ids: Tensor, state: DecoderState, /, *, attention: bool = False
    ) -> DecoderStep:
        """Read one token [N] in each row and predict the next."""
        ...

    def __call__(self, batch: Pairs, /, *, attention: bool = False) -> ModelOutput:
        """Read every target of a batch at once."""
        ...

    def logits(self, hidden: Tensor, /) -> Tensor:
        """Return the logits [B, T, V] of what `__call__` calls hidden."""
        ...
