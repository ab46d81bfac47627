"""The pointer-generator output: it writes tokens of its vocabulary, or copies tokens of the source.

M is the number of rows, whatever their shape. A target id from V on is a source index: V + s stands
for the token at index s of the source, where its piece occurs first and which the target vocabulary
lacks.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.kernels.chosen_log_probs import chosen_log_probs
from s2scli.model.kernels.linear import Linear
from s2scli.model.states import Decoder, DecoderOutput, DecoderState, EncoderOutput
from s2scli.settings import Settings, setting
from s2scli.sides import Input
from s2scli.special_ids import UNK_ID

NOTHING = -1  # the id of a source index that cannot be copied: padding, or a piece that came before
IMPOSSIBLE = float("-inf")


class PointerOutputSettings(Settings):
    """Settings of a pointer-generator output (See, Liu & Manning 2017)."""

    kind: Literal["pointer"] = setting(
        "pointer",
        "A softmax over the target vocabulary, mixed with the attention, which copies tokens of "
        "the source, also those that no vocabulary has (pointer-generator; See et al. 2017).",
    )

    def build(
        self, decoder: Decoder, memory_dim: int, input_dim: int, reads: Input, vocab_size: int
    ) -> "PointerOutput":
        """Return the output layer.

        Args:
            decoder: the decoder, whose attention copies.
            memory_dim: width of the memory.
            input_dim: width of the target embeddings.
            reads: the size of the source vocabulary, if the source is text.
            vocab_size: the size of the target vocabulary.

        Raises:
            ConfigError: the decoder has no attention, or the source is not text.
        """
        if decoder.attention_shape is None:
            raise ConfigError(
                "model.output.kind: pointer copies what the decoder attends to, but "
                "model.attention.kind is none; choose a kind of attention, or output plain"
            )
        if not isinstance(reads, int):
            raise ConfigError(
                "model.output.kind: pointer copies tokens of text, and the source is not text; "
                "choose plain"
            )
        return PointerOutput(decoder, memory_dim, input_dim, reads, vocab_size)


@dataclass(frozen=True)
class PointerState:
    """The state of a decoder that copies.

    Attributes:
        decoder: the state of the decoder.
        sight: the memory, and a one-hot row for each source index, which says where its piece
            occurs first, [B, S, D + S].
        pieces: the target id of the piece at each source index; `NOTHING` if it came before,
            [B, S].
    """

    decoder: DecoderState
    sight: Tensor
    pieces: Tensor

    def reorder(self, indices: Tensor) -> "PointerState":
        """Return the state of the rows with these indices; the source is unchanged."""
        return replace(self, decoder=self.decoder.reorder(indices))

    def keep(self, sentences: Tensor) -> "PointerState":
        """Return the state of the sentences with these indices only."""
        return PointerState(
            self.decoder.keep(sentences),
            self.sight.index_select(0, sentences),
            self.pieces.index_select(0, sentences),
        )


@dataclass(frozen=True)
class Mixture:
    """What the output reads, unpacked.

    Attributes:
        hidden: the input of the vocabulary's softmax, [M, D].
        gate: log-odds of copying, [M].
        mass: the attention to each piece of the source, where it occurs first, [M, S].
        pieces: the target id of these pieces, or `NOTHING`, [M, S].
    """

    hidden: Tensor
    gate: Tensor
    mass: Tensor
    pieces: Tensor

    def pack(self) -> Tensor:
        """Return one vector per row, [M, D + 1 + 2 S].

        So everything that chooses rows of a decoder's output chooses among vectors. Ids are exact
        in float32 below 2^24, and no vocabulary is that large.
        """
        parts = self.hidden, self.gate[..., None], self.mass, self.pieces
        dtype = torch.promote_types(self.hidden.dtype, torch.float32)
        return torch.cat([part.to(dtype) for part in parts], -1)

    @classmethod
    def unpack(cls, packed: Tensor, hidden_dim: int) -> "Mixture":
        """Undo `pack`."""
        length = (packed.shape[-1] - hidden_dim - 1) // 2
        hidden, gate, mass, pieces = torch.split(packed, [hidden_dim, 1, length, length], -1)
        return cls(hidden, gate[..., 0], mass, pieces.detach().long())

    @property
    def log_copied(self) -> Tensor:
        """The log-probability of copying each piece, [M, S]; finite, so that it has a gradient."""
        return F.logsigmoid(self.gate)[..., None] + _log(self.mass)


class PointerOutput(Linear):
    """p(w) = (1 - p_copy) p_vocab(w) + p_copy sum_{s: w_s = w} a_s (See et al. 2017, eq. 9).

    See et al. write p_gen for 1 - p_copy. p_copy = sigmoid(w_h h* + w_s s + w_x x + b), eq. 8, with
    the context h* (the memory weighted by a), the decoder's state s (the input of the vocabulary's
    softmax) and the embedding x of the decoder's input. With several heads, a is the mean over
    those of the last layer: they are the last to read the source before the token is chosen, and a
    head that does not align is outvoted.
    """

    copies = True

    def __init__(
        self, decoder: Decoder, memory_dim: int, input_dim: int, source_size: int, vocab_size: int
    ) -> None:
        super().__init__(decoder.output_dim, vocab_size)
        self.source_size, self.memory_dim = source_size, memory_dim
        assert decoder.attention_shape is not None, "`build` has checked it"
        self.num_heads = decoder.attention_shape[1]
        self.gate = nn.Linear(memory_dim + decoder.output_dim + input_dim, 1)

    def split(self, source: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what the encoder reads of a source, and what the decoder can copy, [B, S].

        Args:
            source: the source's own ids and the target ids that a copy of them has, [B, S, 2].
        """
        ids, copies = source.unbind(-1)
        return ids.masked_fill(ids >= self.source_size, UNK_ID), copies

    def readable(self, token_ids: Tensor) -> Tensor:
        """Return token ids as the decoder reads them: pieces outside the vocabulary are unknown."""
        return token_ids.masked_fill(token_ids >= self.out_features, UNK_ID)

    def begin(self, state: DecoderState, encoded: EncoderOutput) -> PointerState:
        """Return the state before the first token, with one row per sentence."""
        copies = encoded.copies
        assert copies is not None, "a source that can be copied comes with target ids"
        first = (copies[:, :, None] == copies[:, None]).byte().argmax(-1)  # [B, S]
        indices = torch.arange(copies.shape[1], device=copies.device)
        kept = (first == indices) & encoded.memory_mask
        one_hot = (first[..., None] == indices).to(encoded.memory.dtype)  # [B, S, S]
        sight = torch.cat([encoded.memory, one_hot], -1)
        return PointerState(state, sight, copies.masked_fill(~kept, NOTHING))

    def decode(
        self, decoder: Decoder, embedded: Tensor, state: DecoderState, *, attention: bool
    ) -> DecoderOutput[PointerState]:
        """Run T steps of the decoder on embeddings [N, T, E]; `hidden` is a packed `Mixture`."""
        assert isinstance(state, PointerState), "`begin` made it"
        output = decoder(embedded, state.decoder, attention=True)
        assert output.attention_weights is not None, "a decoder with attention has weights"
        weights = output.attention_weights[:, :, -self.num_heads :].mean(2)  # [N, T, S]
        sentences, length = state.pieces.shape
        dtype = torch.promote_types(weights.dtype, torch.float32)
        with torch.autocast(weights.device.type, enabled=False):
            seen = weights.to(dtype).reshape(sentences, -1, length) @ state.sight.to(dtype)
        seen = seen.view(*weights.shape[:2], -1)
        context, mass = torch.split(seen, [self.memory_dim, length], -1)
        gate = self.gate(torch.cat([context, output.hidden, embedded], -1))[..., 0]
        rows = state.pieces.repeat_interleave(len(weights) // sentences, 0)
        pieces = rows[:, None].expand(-1, weights.shape[1], -1)
        return DecoderOutput(
            Mixture(output.hidden, gate, mass, pieces).pack(),
            output.attention_weights if attention else None,
            replace(state, decoder=output.state),
        )

    def p_copy(self, hidden: Tensor) -> Tensor:
        """Return the probability of copying, [...], for packed rows [..., D + 1 + 2 S]."""
        return Mixture.unpack(hidden, self.in_features).gate.sigmoid()

    def logits(self, hidden: Tensor) -> Tensor:
        """Return log-probabilities of the vocabulary and of the source indices, [..., V + S].

        A source index whose piece the vocabulary has, or that came before, has probability 0.

        Args:
            hidden: packed rows, [..., D + 1 + 2 S].
        """
        read = Mixture.unpack(hidden, self.in_features)
        size, length = self.out_features, read.mass.shape[-1]
        generated = self(read.hidden).to(read.gate.dtype).log_softmax(-1)
        generated = generated + F.logsigmoid(-read.gate)[..., None]  # [..., V]
        shape = (*read.gate.shape, size + length)
        pieces, mass = read.pieces.clamp(min=0), read.mass.masked_fill(read.pieces < 0, 0.0)
        masses = mass.new_zeros(shape).scatter_add(-1, pieces, mass)
        copied = F.logsigmoid(read.gate)[..., None] + _log(masses)  # [..., V + S]
        known = torch.logaddexp(generated, copied[..., :size])
        outside = read.pieces == torch.arange(size, size + length, device=pieces.device)
        return torch.cat([known, copied[..., size:].masked_fill(~outside, IMPOSSIBLE)], -1)

    def token_loss(self, hidden: Tensor, target: Tensor, smoothing: float) -> Tensor:
        """Return the label-smoothed cross-entropy summed over tokens, in nats, as a scalar.

        The full matrices of logits, of probabilities and of their gradients are never in memory:
        the mixture needs the vocabulary's softmax only at the target, and with smoothing at the
        pieces of the source.

        Args:
            hidden: packed rows, [tokens, D + 1 + 2 S].
            target: [tokens]; from V on, a source index.
            smoothing: the share of probability that is spread evenly over the vocabulary.
        """
        read = Mixture.unpack(hidden, self.in_features)
        size = self.out_features
        generates, copied = F.logsigmoid(-read.gate), read.log_copied
        inside = (read.pieces >= 0) & (read.pieces < size)  # [tokens, S]
        columns = target.masked_fill(target >= size, UNK_ID)[:, None]
        if smoothing:
            columns = torch.cat([columns, read.pieces.masked_fill(~inside, UNK_ID)], -1)
        chosen, mean = chosen_log_probs(read.hidden, self, columns)
        written = generates + chosen[:, 0].masked_fill(target >= size, IMPOSSIBLE)
        mass = (read.mass * (read.pieces == target[:, None])).sum(-1)
        log_prob = torch.logaddexp(written, F.logsigmoid(read.gate) + _log(mass))
        if not smoothing:
            return -log_prob.sum()
        plain = generates[:, None] + chosen[:, 1:]  # [tokens, S]
        gain = (torch.logaddexp(plain, copied) - plain).masked_fill(~inside, 0.0)
        spread = generates + mean + gain.sum(-1) / size
        return -((1 - smoothing) * log_prob + smoothing * spread).sum()


def _log(values: Tensor) -> Tensor:
    """Return the logarithm, finite at 0, where its gradient is then 0."""
    return values.clamp(min=torch.finfo(values.dtype).tiny).log()
