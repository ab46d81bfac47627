"""Multi-head attention of a sequence over itself, all at once or going on from a cache."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2scli.model.attention.heads import attend_heads, causal_mask, join_heads, split_heads
from s2scli.model.layers.linear import make_linear
from s2scli.model.layers.positions import rotate


@dataclass(frozen=True)
class KeyValueCache:
    """Keys and values of the tokens read so far, each [N, H, T, K]."""

    keys: Tensor
    values: Tensor

    def reorder(self, indices: Tensor) -> "KeyValueCache":
        """Return the cache of these rows, [N']."""
        return KeyValueCache(self.keys[indices], self.values[indices])

    def extend(self, keys: Tensor, values: Tensor) -> "KeyValueCache":
        """Return the cache with the keys and values of more tokens behind, each [N, H, T', K]."""
        if not self.keys.shape[2]:
            return KeyValueCache(keys, values)
        return KeyValueCache(
            torch.cat([self.keys, keys], 2),
            torch.cat([self.values, values], 2),
        )


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
        self, cache: KeyValueCache, states: Tensor, angles: Tensor | None
    ) -> tuple[Tensor, KeyValueCache]:
        """Let each of T more tokens look at itself and at what came before.

        Args:
            cache: of the P tokens before.
            states: [N, T, D].
            angles: of rotary positions, [T, K / 2], or None.
        """
        query, key, value = self._project(states, angles)
        cache = cache.extend(key, value)
        steps, past = query.shape[2], cache.keys.shape[2] - query.shape[2]
        mask = None
        if past and steps > 1:
            mask = causal_mask(steps, past, query.device)
        found = attend_heads(
            query,
            cache.keys,
            cache.values,
            mask,
            causal=not past and steps > 1,
            dropout=self._dropout(),
        )
        return self.output(join_heads(found)), cache

    def empty_cache(self, states: Tensor) -> KeyValueCache:
        """Return the cache before the first token, for the rows of [N, ...] states of width D."""
        head_dim = self.output.in_features // self.num_heads
        nothing = states.new_zeros(states.shape[0], self.num_heads, 0, head_dim)
        return KeyValueCache(nothing, nothing)

    def _project(self, states: Tensor, angles: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each [N, H, T, K]."""
        projected = self.query_key_value(states).chunk(3, -1)
        query, key, value = (split_heads(part, self.num_heads) for part in projected)
        if angles is not None:
            query, key = rotate(query, angles), rotate(key, angles)
        return query, key, value

    def _dropout(self) -> float:
        return self.dropout if self.training else 0.0
