"""The Transformer decoder: causal self-attention, and any kind of attention over the memory.

R is the number of rows per sentence, P the number of tokens in the caches, C the width of the
connection's vector.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, cast

import torch
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.attention.memory import AttendedMemory, Attention
from s2scli.model.decoder.settings import AttentionBuilder
from s2scli.model.kernels.linear import make_linear
from s2scli.model.states import Connected, DecoderOutput, EncoderOutput, StateShape
from s2scli.model.transformer.entrance import Entrance
from s2scli.model.transformer.settings import StackSettings, TransformerSettings
from s2scli.settings import setting


class TransformerDecoderSettings(TransformerSettings):
    """Settings of a Transformer decoder (Vaswani et al. 2017)."""

    kind: Literal["transformer"] = setting("transformer", "Transformer (Vaswani et al. 2017).")

    @property
    def state_shape(self) -> StateShape:
        """The shape of the initial state: it has no parts."""
        return StateShape(0, self.num_layers, self.model_dim)

    def build(
        self, input_dim: int, memory_dim: int, vector_dim: int, attention: AttentionBuilder
    ) -> "TransformerDecoder":
        """Return the decoder.

        Args:
            input_dim: width of the target embeddings.
            memory_dim: width of the memory.
            vector_dim: width of the connection's vector; 0 if there is none.
            attention: the settings of the attention.

        Raises:
            ConfigError: the number of heads or the widths do not match.
        """
        self.check("model.decoder")
        return TransformerDecoder(
            self, self.make_self_attention, input_dim, memory_dim, vector_dim, attention
        )


@dataclass(frozen=True)
class TransformerState:
    """The state of a Transformer decoder between steps.

    Attributes:
        caches: keys and values of each layer's self-attention, or the cache of what replaces it.
        seen: True where a row has read a token of the caches, [B, R, P]; None if each sentence
            has always had one row.
        attended: the prepared memory of each layer's attention, one row per sentence; empty
            without attention.
        vector: the connection's vector for every step, [B, C], or None.
        sentences: the number of sentences, B.
        length: the number of tokens each row has read.
    """

    caches: tuple[Any, ...]
    seen: Tensor | None
    attended: tuple[AttendedMemory, ...]
    vector: Tensor | None
    sentences: int
    length: int

    def reorder(self, indices: Tensor) -> "TransformerState":
        """Return the state of the rows with these indices; the memory is unchanged.

        The caches are unchanged too while they have room. When they are full, tokens that no row
        has read are removed.
        """
        if self.seen is None and len(indices) == self.sentences:
            return self
        past = self.caches[0].keys.shape[2]
        seen = self.seen
        if seen is None:
            seen = torch.ones(self.sentences, 1, past, dtype=torch.bool, device=indices.device)
        beam = len(indices) // self.sentences
        seen = seen.flatten(0, 1).index_select(0, indices).view(self.sentences, beam, past)
        after = replace(self, seen=seen)
        return after if self.caches[0].has_room(beam) else after._without_unseen(seen)

    def keep(self, sentences: Tensor) -> "TransformerState":
        """Return the state of the sentences with these indices only."""
        return replace(
            self,
            caches=tuple(cache.keep(sentences) for cache in self.caches),
            seen=None if self.seen is None else self.seen.index_select(0, sentences),
            attended=tuple(memory.keep(sentences) for memory in self.attended),
            vector=None if self.vector is None else self.vector.index_select(0, sentences),
            sentences=len(sentences),
        )

    def _without_unseen(self, seen: Tensor) -> "TransformerState":
        """Remove tokens that no row has read from the caches.

        All sentences keep the same number of tokens, P', so some may keep unread ones.
        """
        needed = seen.any(1)  # [B, P]
        indices = needed.int().argsort(dim=1, descending=True, stable=True)
        indices = indices[:, : int(needed.sum(1).max())]  # [B, P']
        return replace(
            self,
            caches=tuple(cache.gather(indices) for cache in self.caches),
            seen=seen.gather(2, indices[:, None].expand(-1, seen.shape[1], -1)),
        )


def see_more(seen: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return the attention mask of T new tokens per row, and the tokens each row has then read.

    A new token may attend to the tokens its row has read, to earlier new tokens of its row, and to
    itself.

    Args:
        seen: True where a row has read one of the P earlier tokens, [B, R, P].
        steps: the number of new tokens per row, T.

    Returns:
        The mask [B, R x T, P + R x T], and the new value of `seen` [B, R, P + R x T].
    """
    sentences, beam, _ = seen.shape
    same_row = torch.eye(beam, dtype=torch.bool, device=seen.device)
    up_to_itself = torch.ones(steps, steps, dtype=torch.bool, device=seen.device).tril()
    own = torch.kron(same_row, up_to_itself).expand(sentences, -1, -1)  # [B, R x T, R x T]
    sight = torch.cat([seen.repeat_interleave(steps, 1), own], 2)
    return sight, sight[:, steps - 1 :: steps]


class SelfReader(Protocol):
    """Lets each token of a row read the earlier ones: self-attention, or what replaces it."""

    def continue_from(
        self, cache: Any, states: Tensor, angles: Tensor | None, sight: Tensor | None
    ) -> tuple[Tensor, Any]:
        """Read T new tokens, and return the output [N, T, D] and the cache after them."""
        ...

    def empty_cache(self, states: Tensor) -> Any:
        """Return the cache before the first token."""
        ...


class TransformerDecoder(nn.Module):
    """A Transformer decoder; the state holds the keys and values of the tokens read.

    Attributes:
        state_type: the type of its states.
    """

    state_type = TransformerState

    def __init__(
        self,
        settings: StackSettings,
        make_self_attention: Callable[[], nn.Module],
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
            TransformerDecoderLayer(
                settings, attention.build(settings.model_dim, memory_dim), make_self_attention()
            )
            for _ in range(settings.num_layers)
        ]
        self.layers = nn.ModuleList(layers)
        self.norm = settings.make_last_norm()
        first = layers[0].attention
        if first is not None and first.covers:
            raise ConfigError(
                "model.attention.coverage: true needs a recurrent decoder, as a Transformer does "
                "not run step by step; choose coverage = false, and training.coverage for the loss"
            )
        self.attention_shape = None if first is None else (len(layers), first.num_heads)

    def start(self, output: EncoderOutput, connected: Connected) -> TransformerState:
        """Return the state before the first token, with one row per sentence."""
        memory, mask = output.memory, output.attention_mask
        return self.state_type(
            tuple(layer.self_attention.empty_cache(memory) for layer in self._layers()),
            None,
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
        self, embedded: Tensor, state: TransformerState, *, attention: bool
    ) -> DecoderOutput[TransformerState]:
        """Run T steps.

        Args:
            embedded: embeddings of the input tokens, [N, T, E].
            state: the state before these tokens, for N rows.
            attention: whether to return attention weights.
        """
        states, angles = self.entrance(embedded, state.length, self._summary(embedded, state))
        sight = seen = None
        if state.seen is not None:
            sight, seen = see_more(state.seen, embedded.shape[1])
        caches, weights = [], []
        for number, layer in enumerate(self._layers()):
            memory = state.attended[number] if state.attended else None
            read = layer(states, state.caches[number], sight, memory, angles, attention=attention)
            states = read.states
            caches.append(read.cache)
            if read.weights is not None:
                weights.append(read.weights)
        length = state.length + embedded.shape[1]
        after = replace(state, caches=tuple(caches), seen=seen, length=length)
        return DecoderOutput(self.norm(states), torch.cat(weights, 2) if weights else None, after)

    def _layers(self) -> Iterator["TransformerDecoderLayer"]:
        return cast(Iterator[TransformerDecoderLayer], iter(self.layers))

    def _summary(self, embedded: Tensor, state: TransformerState) -> Tensor | None:
        """Return the projected connection vector of every row, [N, 1, D], or None."""
        if self.summary is None or state.vector is None:
            return None
        beam = embedded.shape[0] // state.sentences
        summary: Tensor = self.summary(state.vector)
        return summary.repeat_interleave(beam, dim=0)[:, None]


@dataclass(frozen=True)
class LayerOutput:
    """The output of one layer for T steps.

    Attributes:
        states: [N, T, D].
        cache: the layer's cache after these steps.
        weights: attention weights, [N, T, H, S], or None.
    """

    states: Tensor
    cache: Any
    weights: Tensor | None


class TransformerDecoderLayer(nn.Module):
    """Self-attention, optional attention over the memory, and a feed-forward network."""

    def __init__(
        self, settings: StackSettings, attention: Attention | None, self_attention: nn.Module
    ) -> None:
        super().__init__()
        self.self_attention = cast(SelfReader, self_attention)
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
        cache: Any,
        sight: Tensor | None,
        memory: AttendedMemory | None,
        angles: Tensor | None,
        *,
        attention: bool,
    ) -> LayerOutput:
        """Run T steps.

        Args:
            states: [N, T, D].
            cache: the cache of the P earlier tokens.
            sight: True where a token may attend, [B, R x T, P + R x T], or None for causal
                attention.
            memory: the prepared memory; None without attention.
            angles: angles of rotary positions, [T, K / 2], or None.
            attention: whether to return attention weights.
        """
        weights = None
        around = self.around_self_attention
        change, cache = self.self_attention.continue_from(
            cache, around.before(states), angles, sight
        )
        states = around.after(states, change)
        if self.attention is not None:
            assert memory is not None
            around = self.around_attention
            read = self.attention.attend(around.before(states), memory, attention=attention)
            states = around.after(states, self.context(read.context))
            weights = read.weights if attention else None
        around = self.around_feed_forward
        states = around.after(states, self.feed_forward(around.before(states)))
        return LayerOutput(states, cache, weights)
