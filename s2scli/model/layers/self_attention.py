"""Multi-head attention of a sequence over itself, all at once or going on from a cache."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2scli.model.attention.heads import attend_heads, causal_mask, join_heads, split_heads
from s2scli.model.layers.linear import make_linear
from s2scli.model.layers.positions import rotate


@dataclass(frozen=True)
class KeyValueCache:
    """Keys and values of the P tokens that all rows of a sentence have read, each [B, H, P, K].

    A token is there once for all rows that go on from it: nothing is copied for the beam, and who
    has read what is for a mask to say.

    Attributes:
        keys: may be a part of what `room` holds.
        values: likewise.
        room: with places for more tokens, or None.
    """

    keys: Tensor
    values: Tensor
    room: "Room | None" = None

    def keep(self, sentences: Tensor) -> "KeyValueCache":
        """Return the cache of these sentences only, [B']."""
        return KeyValueCache(
            self.keys.index_select(0, sentences), self.values.index_select(0, sentences)
        )

    def extend(self, keys: Tensor, values: Tensor) -> "KeyValueCache":
        """Return the cache with the keys and values of more tokens behind, each [B, H, P', K]."""
        past = self.keys.shape[2]
        if not past:
            return KeyValueCache(keys, values)
        if torch.is_grad_enabled():
            return KeyValueCache(
                torch.cat([self.keys, keys], 2), torch.cat([self.values, values], 2)
            )
        room = self.room
        if room is None or not room.fits(past, keys.shape[2]):
            room = Room.begin(self.keys, self.values, 2 * (past + keys.shape[2]))
        return KeyValueCache(*room.add(keys, values), room)


@dataclass
class Room:
    """A place for keys and values, each [B, H, C, K], of which the first `used` are taken.

    Whoever comes first behind those may add to it; a second one who goes on from the same place
    finds it taken, and begins a room of their own: so no cache ever changes.
    """

    keys: Tensor
    values: Tensor
    used: int

    @classmethod
    def begin(cls, keys: Tensor, values: Tensor, capacity: int) -> "Room":
        """Return a room that begins with these."""
        sentences, heads, _, width = keys.shape
        shape = (sentences, heads, capacity, width)
        room = cls(keys.new_empty(shape), values.new_empty(shape), 0)
        room.add(keys, values)
        return room

    def fits(self, past: int, more: int) -> bool:
        """Whether the place behind `past` tokens is free for more."""
        return self.used == past and past + more <= self.keys.shape[2]

    def add(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put more behind; return all keys and values so far."""
        past, self.used = self.used, self.used + keys.shape[2]
        self.keys[:, :, past : self.used] = keys
        self.values[:, :, past : self.used] = values
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]


class SelfAttention(nn.Module):
    """Queries, keys and values of one sequence by one projection (Vaswani et al. 2017, 3.2)."""

    def __init__(self, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.query_key_value = make_linear(dim, dim, parts=3)
        self.output = make_linear(dim, dim)

    def forward(self, states: Tensor, mask: Tensor | None, angles: Tensor | None) -> Tensor:
        """Let every token look at every real token.

        Args:
            states: [B, S, D].
            mask: True at real tokens, [B, 1, 1, S]; None where all are real.
            angles: of rotary positions, [S, K / 2], or None.
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
        """Let each of T more tokens look at itself and at what its row has read before.

        Args:
            cache: of the P tokens before, of B sentences of R rows.
            states: [N, T, D], N = B x R.
            angles: of rotary positions, [T, K / 2], or None.
            sight: True where a token may look, [B, R x T, P + R x T]; None where each sentence
                has always had one row, whose tokens see all before them.
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
        """Return the cache before the first token, for the sentences of [B, ...] states."""
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
