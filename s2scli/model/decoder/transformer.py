"""The Transformer decoder: causal self-attention, and any attention over the memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from torch import Tensor, nn

from s2scli.model.attention.memory import AttendedMemory, Attention
from s2scli.model.decoder.settings import AttentionBuilder
from s2scli.model.layers.linear import make_linear
from s2scli.model.layers.self_attention import KeyValueCache
from s2scli.model.layers.transformer import Entrance, TransformerSettings
from s2scli.model.states import Connected, DecoderOutput, EncoderOutput, StateShape, beam_rows
from s2scli.settings import setting


class TransformerDecoderSettings(TransformerSettings):
    """A stack of self-attention layers that writes the target (Vaswani et al. 2017)."""

    kind: Literal["transformer"] = setting("transformer", "Self-attention (Vaswani et al. 2017).")

    @property
    def state_shape(self) -> StateShape:
        """It has no state for a connection to begin."""
        return StateShape(0, self.num_layers, self.model_dim)

    def build(
        self, input_dim: int, memory_dim: int, vector_dim: int, attention: AttentionBuilder
    ) -> "TransformerDecoder":
        """Return the decoder over token vectors of `input_dim`.

        Raises:
            ConfigError: heads or widths that do not fit.
        """
        self.check("model.decoder")
        return TransformerDecoder(self, input_dim, memory_dim, vector_dim, attention)


@dataclass(frozen=True)
class TransformerState:
    """What a Transformer decoder remembers.

    Attributes:
        caches: keys and values of each layer's self-attention.
        attended: the memory as each layer's attention reads it, one row for each sentence;
            empty without attention.
        vector: the summary shown at every step, [B, C], or None.
        sentences: B.
        length: tokens read so far.
    """

    caches: tuple[KeyValueCache, ...]
    attended: tuple[AttendedMemory, ...]
    vector: Tensor | None
    sentences: int
    length: int

    def reorder(self, indices: Tensor) -> "TransformerState":
        """Return the state of these rows; the memory stays as it is."""
        return replace(self, caches=tuple(cache.reorder(indices) for cache in self.caches))

    def keep(self, sentences: Tensor) -> "TransformerState":
        """Return the state of these sentences only."""
        beam = self.caches[0].keys.shape[0] // self.sentences
        return replace(
            self.reorder(beam_rows(sentences, beam)),
            attended=tuple(memory.keep(sentences) for memory in self.attended),
            vector=None if self.vector is None else self.vector[sentences],
            sentences=len(sentences),
        )


class TransformerDecoder(nn.Module):
    """Runs T steps at once; what it has read is in the state, as keys and values."""

    def __init__(
        self,
        settings: TransformerDecoderSettings,
        input_dim: int,
        memory_dim: int,
        vector_dim: int,
        attention: AttentionBuilder,
    ) -> None:
        super().__init__()
        self.output_dim = settings.model_dim
        self.entrance = Entrance(settings, input_dim)
        self.summary = make_linear(vector_dim, settings.model_dim) if vector_dim else None
        layers = [
            TransformerDecoderLayer(settings, attention.build(settings.model_dim, memory_dim))
            for _ in range(settings.num_layers)
        ]
        self.layers = nn.ModuleList(layers)
        self.norm = settings.make_last_norm()
        first = layers[0].attention
        self.attention_shape = None if first is None else (len(layers), first.num_heads)

    def start(self, output: EncoderOutput, connected: Connected) -> TransformerState:
        """Return the state before the first token, one row for each sentence."""
        memory, mask = output.memory, output.attention_mask
        return TransformerState(
            tuple(layer.self_attention.empty_cache(memory) for layer in self._layers()),
            tuple(
                layer.attention.prepare(memory, mask)
                for layer in self._layers()
                if layer.attention is not None
            ),
            connected.vector,
            memory.shape[0],
            0,
        )

    def forward(
        self, embedded: Tensor, state: TransformerState, *, with_attention: bool
    ) -> DecoderOutput[TransformerState]:
        """Run T steps.

        Args:
            embedded: vectors of the tokens read, [N, T, E].
            state: the state before them, for N rows.
            with_attention: return the weights too.
        """
        states, angles = self.entrance(embedded, state.length, self._summary(embedded, state))
        caches, weights = [], []
        for number, layer in enumerate(self._layers()):
            memory = state.attended[number] if state.attended else None
            read = layer(states, state.caches[number], memory, angles, with_weights=with_attention)
            states = read.states
            caches.append(read.cache)
            if read.weights is not None:
                weights.append(read.weights)
        after = replace(state, caches=tuple(caches), length=state.length + embedded.shape[1])
        return DecoderOutput(self.norm(states), torch.cat(weights, 2) if weights else None, after)

    def _layers(self) -> Iterator["TransformerDecoderLayer"]:
        return cast(Iterator[TransformerDecoderLayer], iter(self.layers))

    def _summary(self, embedded: Tensor, state: TransformerState) -> Tensor | None:
        """Return what every row sees at every step, [N, 1, D]."""
        if self.summary is None or state.vector is None:
            return None
        beam = embedded.shape[0] // state.sentences
        summary: Tensor = self.summary(state.vector)
        return summary.repeat_interleave(beam, dim=0)[:, None]


@dataclass(frozen=True)
class LayerOutput:
    """What one layer makes of T steps: states [N, T, D], its cache, weights [N, T, H, S]."""

    states: Tensor
    cache: KeyValueCache
    weights: Tensor | None


class TransformerDecoderLayer(nn.Module):
    """Self-attention, attention over the memory if there is one, a feed-forward network."""

    def __init__(self, settings: TransformerDecoderSettings, attention: Attention | None) -> None:
        super().__init__()
        self.self_attention = settings.make_self_attention()
        self.around_self_attention = settings.make_residual()
        self.attention = attention
        if attention is not None:
            self.around_attention = settings.make_residual()
            fits = attention.output_dim == settings.model_dim
            self.context = (
                nn.Identity() if fits else make_linear(attention.output_dim, settings.model_dim)
            )
        self.feed_forward = settings.make_feed_forward()
        self.around_feed_forward = settings.make_residual()

    def forward(
        self,
        states: Tensor,
        cache: KeyValueCache,
        memory: AttendedMemory | None,
        angles: Tensor | None,
        *,
        with_weights: bool,
    ) -> LayerOutput:
        """Read T more states [N, T, D] behind those in the cache."""
        weights = None
        around = self.around_self_attention
        change, cache = self.self_attention.continue_from(cache, around.before(states), angles)
        states = around.after(states, change)
        if self.attention is not None:
            assert memory is not None
            around = self.around_attention
            read = self.attention.attend(around.before(states), memory, with_weights=with_weights)
            states = around.after(states, self.context(read.context))
            weights = read.weights if with_weights else None
        around = self.around_feed_forward
        states = around.after(states, self.feed_forward(around.before(states)))
        return LayerOutput(states, cache, weights)
