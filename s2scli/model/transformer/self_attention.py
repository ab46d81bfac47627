"""Multi-head self-attention, over a whole sequence or step by step with a cache."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2scli.model.kernels.attention import attend_heads, causal_mask, join_heads, split_heads
from s2scli.model.kernels.in_place import may_overwrite
from s2scli.model.kernels.linear import make_linear
from s2scli.model.transformer.positions import rotate

STEPS = 8  # minimum number of steps that fit in a new room


@dataclass(frozen=True)
class KeyValueCache:
    """Keys and values of the P tokens that the rows of each sentence have read.

    A token is stored once for all rows (hypotheses) that continue it. A mask outside the cache says
    which rows have read which tokens, so nothing is copied when the beam is reordered.

    Attributes:
        keys: [B, H, P, K]; a view of the start of `room.keys` if there is a room.
        values: [B, H, P, K]; likewise.
        room: memory with space for more tokens, or None.
    """

    keys: Tensor
    values: Tensor
    room: "Room | None" = None

    def has_room(self, tokens: int) -> bool:
        """Whether this many tokens can be appended without copying the cache."""
        return self.room is not None and self.room.fits(self.keys.shape[2], tokens)

    def keep(self, sentences: Tensor) -> "KeyValueCache":
        """Return the cache of the sentences with these indices [B'] only."""
        keys, values = self._storage()
        keys, values = keys.index_select(0, sentences), values.index_select(0, sentences)
        if self.room is None:
            return KeyValueCache(keys, values)
        return Room(keys, values, self.keys.shape[2]).cache

    def gather(self, indices: Tensor) -> "KeyValueCache":
        """Return a cache of selected tokens, given their indices in each sentence [B, P']."""
        keys, values = self._storage()
        sentences, heads, capacity, width = keys.shape
        first = torch.arange(sentences * heads, device=indices.device) * capacity
        rows = (indices[:, None] + first.view(sentences, heads, 1)).flatten()  # [B x H x P']
        shape = (sentences, heads, indices.shape[1], width)
        return KeyValueCache(
            keys.reshape(-1, width).index_select(0, rows).view(shape),
            values.reshape(-1, width).index_select(0, rows).view(shape),
        )

    def extend(self, keys: Tensor, values: Tensor) -> "KeyValueCache":
        """Return a cache with the keys and values [B, H, P', K] of more tokens appended."""
        if not self.keys.shape[2]:
            return KeyValueCache(keys, values)
        if not may_overwrite(keys):
            return KeyValueCache(
                torch.cat([self.keys, keys], 2), torch.cat([self.values, values], 2)
            )
        more = keys.shape[2]
        if self.room is None or not self.has_room(more):
            return Room.begin(self, more).add(keys, values)
        return self.room.add(keys, values)

    def _storage(self) -> tuple[Tensor, Tensor]:
        """Return the tensors that store keys and values, with any unused space at the end."""
        return (self.keys, self.values) if self.room is None else (self.room.keys, self.room.values)


@dataclass
class Room:
    """Preallocated memory for keys and values.

    Several caches may continue from the same tokens. The first one appends its tokens here. The
    next one finds that space taken and copies its tokens to a new room, so no cache ever changes.

    Attributes:
        keys: [B, H, C, K], where C is the capacity in tokens.
        values: [B, H, C, K].
        used: the number of tokens stored.
    """

    keys: Tensor
    values: Tensor
    used: int

    @classmethod
    def begin(cls, cache: KeyValueCache, more: int) -> "Room":
        """Return a new room that holds a copy of a cache and has space for more tokens.

        Args:
            cache: the cache to copy.
            more: the number of tokens that each step appends.
        """
        sentences, heads, past, width = cache.keys.shape
        shape = (sentences, heads, past + max(past, STEPS * more), width)
        room = cls(cache.keys.new_empty(shape), cache.values.new_empty(shape), 0)
        room.add(cache.keys, cache.values)
        return room

    @property
    def cache(self) -> KeyValueCache:
        """The cache of all tokens stored."""
        return KeyValueCache(self.keys[:, :, : self.used], self.values[:, :, : self.used], self)

    def fits(self, past: int, more: int) -> bool:
        """Whether `more` tokens can be appended directly after the first `past` tokens."""
        return self.used == past and past + more <= self.keys.shape[2]

    def add(self, keys: Tensor, values: Tensor) -> KeyValueCache:
        """Append keys and values, and return the cache of all tokens stored."""
        past, self.used = self.used, self.used + keys.shape[2]
        self.keys[:, :, past : self.used] = keys
        self.values[:, :, past : self.used] = values
        return self.cache


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, 3.2)."""

    def __init__(self, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.query_key_value = make_linear(dim, dim, parts=3)
        self.output = make_linear(dim, dim)

    def forward(self, states: Tensor, mask: Tensor | None, angles: Tensor | None) -> Tensor:
        """Let every token attend to every real token.

        Args:
            states: [B, S, D].
            mask: True at real tokens, [B, 1, 1, S]; None if there is no padding.
            angles: angles of rotary positions, [S, K / 2], or None.
        """
        query, key, value = self._project(states, angles)
        found = attend_heads(query, key, value, mask, dropout=self._dropout())
        attended: Tensor = self.output(join_heads(found))
        return attended

    def continue_from(
        self,
        cache: KeyValueCache,
        states: Tensor,
        angles: Tensor | None,
        sight: Tensor | None = None,
    ) -> tuple[Tensor, KeyValueCache]:
        """Let each of T new tokens attend to itself and to the earlier tokens of its row.

        Args:
            cache: the cache of the P earlier tokens, for B sentences of R rows each.
            states: states of the new tokens, [N, T, D], N = B x R.
            angles: angles of rotary positions, [T, K / 2], or None.
            sight: True where a token may attend, [B, R x T, P + R x T]; None for causal attention,
                if each sentence has always had one row.

        Returns:
            The output [N, T, D], and the cache with the new tokens.
        """
        rows, steps, width = states.shape
        sentences = cache.keys.shape[0]
        if angles is not None:
            angles = angles.repeat(rows // sentences, 1)
        query, key, value = self._project(states.view(sentences, -1, width), angles)
        cache = cache.extend(key, value)
        mask = None if sight is None else sight[:, None]
        past = cache.keys.shape[2] - steps
        if sight is None and past and steps > 1:
            mask = causal_mask(steps, past, query.device)
        found = attend_heads(
            query,
            cache.keys,
            cache.values,
            mask,
            causal=mask is None and steps > 1,
            dropout=self._dropout(),
        )
        return self.output(join_heads(found)).view(rows, steps, -1), cache

    def empty_cache(self, states: Tensor) -> KeyValueCache:
        """Return an empty cache for B sentences, on the device and with the dtype of `states`.

        Args:
            states: any tensor of shape [B, ...].
        """
        head_dim = self.output.in_features // self.num_heads
        nothing = states.new_zeros(states.shape[0], self.num_heads, 0, head_dim)
        return KeyValueCache(nothing, nothing)

    def _project(self, states: Tensor, angles: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each [B, H, T, K]."""
        projected = self.query_key_value(states).chunk(3, -1)
        query, key, value = (split_heads(part, self.num_heads) for part in projected)
        if angles is not None:
            query, key = rotate(query, angles), rotate(key, angles)
        return query, key, value

    def _dropout(self) -> float:
        return self.dropout if self.training else 0.0
