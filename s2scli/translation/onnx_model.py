"""An exported model in ONNX Runtime, with the interface of a model that our search needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.onnx import Sessions
from s2scli.model.attention.memory import AttendedMemory
from s2scli.model.decoder.transformer import TransformerState, see_more
from s2scli.model.states import (
    DecoderState,
    DecoderStep,
    EncoderOutput,
    ModelOutput,
    Pairs,
    length_mask,
)
from s2scli.model.transformer.self_attention import KeyValueCache

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Encoded:
    """The output of the encoder's graph for a batch of sources.

    Attributes:
        output: the memory and its mask.
        attended: the keys and values that each layer of the decoder attends to.
    """

    output: EncoderOutput
    attended: tuple[AttendedMemory, ...]


@dataclass(frozen=True)
class Read:
    """The output of the decoder's graph for Q new tokens of each sentence.

    Attributes:
        logits: [B, Q, V].
        caches: the keys and values of each layer, with the new tokens.
        weights: attention weights, [B, Q, A, S], or None.
    """

    logits: Tensor
    caches: tuple[KeyValueCache, ...]
    weights: Tensor | None


class OnnxModel:
    """The graphs of an export, as a model that our search can run on a CPU.

    Args:
        sessions: the graphs.

    Raises:
        CheckpointError: they are not the graphs that an export has.
    """

    has_ctc = False

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        shapes = {one.name: one.shape for one in sessions.decoder.get_inputs()}
        self.num_layers = sum(name.startswith("past.") for name in shapes) // 2
        given = {one.name for one in sessions.encoder.get_outputs()}
        if not self.num_layers or given != {"memory", *self._of_layers("memory")}:
            raise CheckpointError("not the graphs of an export of s2s; export the model again")
        self._cache_shape: list[Any] = shapes["past.0.key"]
        written = {one.name: one.shape for one in sessions.decoder.get_outputs()}
        self.vocab_size = int(written["logits"][-1])
        self.attention_shape = (self.num_layers, int(shapes["memory.0.key"][1]))

    def encode(self, source: Tensor, lengths: Tensor) -> Encoded:
        """Encode sources [B, S] of these lengths [B]."""
        mask = length_mask(lengths, source.shape[1], source.device)
        names = ["memory", *self._of_layers("memory")]
        found = _run(self._sessions.encoder, names, {"source": source, "memory_mask": mask})
        padded = int(lengths.min()) < source.shape[1]
        attended = (
            AttendedMemory(found[f"memory.{number}.key"], found[f"memory.{number}.value"], mask)
            for number in range(self.num_layers)
        )
        return Encoded(EncoderOutput(found["memory"], mask, (), padded), tuple(attended))

    def positions(self, lengths: Tensor) -> Tensor:
        """Return the lengths [B]: there is an encoder state for each token."""
        return lengths

    def ctc_log_probs(self, encoder_output: Encoded) -> Tensor:
        """Refuse; `has_ctc` says that an export has no CTC layer.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("an export has no CTC layer")

    def start(self, encoder_output: Encoded) -> TransformerState:
        """Return the state before the first token, one row for each sentence."""
        sentences = len(encoder_output.output.memory)
        _, heads, _, width = self._cache_shape
        nothing = torch.zeros(sentences, heads, 0, width)
        caches = (KeyValueCache(nothing, nothing),) * self.num_layers
        return TransformerState(caches, None, encoder_output.attended, None, sentences, 0)

    def step(
        self, token_ids: Tensor, state: DecoderState, *, attention: bool = False
    ) -> DecoderStep:
        """Read one token per row [N] and predict the next.

        Args:
            token_ids: the token of each row, [N].
            state: the state before these tokens.
            attention: whether to return attention weights.
        """
        before = cast(TransformerState, state)
        tokens = token_ids.view(before.sentences, -1)  # [B, R]
        past, seen = before.caches[0].keys.shape[2], before.seen
        if seen is None:
            seen = torch.ones(before.sentences, 1, past, dtype=torch.bool)
        sight, seen = see_more(seen, 1)
        positions = torch.full((tokens.shape[1],), before.length)
        read = self._read(tokens, positions, sight, before, attention)
        after = TransformerState(
            read.caches,
            None if before.seen is None else seen,
            before.attended,
            None,
            before.sentences,
            before.length + 1,
        )
        weights = None if read.weights is None else read.weights.flatten(0, 1)
        return DecoderStep(read.logits.flatten(0, 1), after, weights)

    def __call__(self, batch: Pairs, *, attention: bool = False) -> ModelOutput:
        """Read all tokens of the targets in a batch at once; `hidden` holds the logits."""
        encoded = self.encode(batch.source, batch.source_lengths)
        tokens = batch.target_input
        sentences, steps = tokens.shape
        sight, _ = see_more(torch.ones(sentences, 1, 0, dtype=torch.bool), steps)
        read = self._read(tokens, torch.arange(steps), sight, self.start(encoded), attention)
        return ModelOutput(read.logits, read.weights, None, encoded.output)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return `hidden` unchanged, because `__call__` applies the output layer, [B, T, V]."""
        return hidden

    def _read(
        self,
        tokens: Tensor,
        positions: Tensor,
        sight: Tensor,
        state: TransformerState,
        attention: bool,
    ) -> Read:
        """Read new tokens of each sentence.

        Args:
            tokens: [B, Q].
            positions: their positions in their outputs, [Q].
            sight: True where a token may read an earlier or a new one, [B, P + Q].
            state: the state before them.
            attention: whether to return attention weights.
        """
        given = {"tokens": tokens, "positions": positions, "sight": sight}
        mask = state.attended[0].mask
        assert mask is not None, "encode gives one"
        given["memory_mask"] = mask
        for number, (cache, memory) in enumerate(zip(state.caches, state.attended, strict=True)):
            given |= {f"past.{number}.key": cache.keys, f"past.{number}.value": cache.values}
            given |= {f"memory.{number}.key": memory.keys, f"memory.{number}.value": memory.values}
        maps = [f"attention.{number}" for number in range(self.num_layers)] * attention
        found = _run(self._sessions.decoder, ["logits", *self._of_layers("present"), *maps], given)
        caches = (
            KeyValueCache(found[f"present.{number}.key"], found[f"present.{number}.value"])
            for number in range(self.num_layers)
        )
        weights = [found[name].transpose(1, 2) for name in maps]  # each [B, Q, H, S]
        return Read(found["logits"], tuple(caches), torch.cat(weights, 2) if weights else None)

    def _of_layers(self, name: str) -> list[str]:
        """Return the names of the keys and values of each layer."""
        layers = range(self.num_layers)
        return [f"{name}.{number}.{part}" for number in layers for part in ("key", "value")]


def _run(session: Any, names: Iterable[str], given: Tensors) -> Tensors:
    """Return outputs of a session by their names."""
    wanted = list(names)
    arrays = session.run(wanted, {name: value.numpy() for name, value in given.items()})
    return {name: torch.from_numpy(one) for name, one in zip(wanted, arrays, strict=True)}
