"""The plain output: a softmax over the target vocabulary."""

from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.model.kernels.cross_entropy import label_smoothed_cross_entropy
from s2scli.model.kernels.linear import Linear
from s2scli.model.states import Decoder, DecoderOutput, DecoderState, EncoderOutput
from s2scli.settings import Settings, setting
from s2scli.sides import Input


class PlainOutputSettings(Settings):
    """Settings of a softmax over the target vocabulary."""

    kind: Literal["plain"] = setting("plain", "A softmax over the target vocabulary.")

    def build(
        self, decoder: Decoder, memory_dim: int, input_dim: int, reads: Input, vocab_size: int
    ) -> "PlainOutput":
        """Return the output layer; see `PointerOutputSettings.build`."""
        return PlainOutput(decoder.output_dim, vocab_size)


class PlainOutput(Linear):
    """The output layer of a model that writes only tokens of its vocabulary."""

    copies = False

    def split(self, source: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what the encoder reads of a source, and nothing to copy."""
        return source, None

    def readable(self, token_ids: Tensor) -> Tensor:
        """Return token ids as the decoder reads them, unchanged."""
        return token_ids

    def begin(self, state: DecoderState, encoded: EncoderOutput) -> DecoderState:
        """Return the state before the first token: that of the decoder."""
        return state

    def decode(
        self, decoder: Decoder, embedded: Tensor, state: DecoderState, *, attention: bool
    ) -> DecoderOutput[DecoderState]:
        """Run T steps of the decoder on embeddings [N, T, E]."""
        return decoder(embedded, state, attention=attention)

    def p_copy(self, hidden: Tensor) -> None:
        """Return None: nothing is ever copied."""
        return

    def logits(self, hidden: Tensor) -> Tensor:
        """Apply the layer: [..., D] to [..., V]."""
        logits: Tensor = self(hidden)
        return logits

    def narrowed(self, tokens: Tensor) -> "PlainOutput":
        """Return the layer of these tokens [U] alone, [..., D] to [..., U], laid out like this one.

        It has a copy of their weights, for a search.
        """
        with torch.inference_mode(False), torch.no_grad():  # a layout needs the weight's version
            tokens = tokens.clone()
            narrow = PlainOutput(self.in_features, len(tokens), device="meta")
            narrow.weight = nn.Parameter(self.weight.index_select(0, tokens), False)
            narrow.bias = nn.Parameter(self.bias.index_select(0, tokens), False)
            if self.layout is not None:
                narrow.lay_out(int8=self.layout.int8)
        return narrow

    def token_loss(self, hidden: Tensor, target: Tensor, smoothing: float) -> Tensor:
        """Return the label-smoothed cross-entropy summed over tokens, in nats, as a scalar.

        Args:
            hidden: [tokens, D].
            target: [tokens].
            smoothing: the share of probability that is spread evenly over the vocabulary.
        """
        return label_smoothed_cross_entropy(hidden, self, target, smoothing)
