"""What attention looks at, and the one place where weights and contexts are made."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class AttendedMemory:
    """An encoder's memory made ready for attention, once for each sentence.

    Attributes:
        keys: what a query is compared with, [B, S, K].
        values: what the context is made of, [B, S, D].
        mask: True at real tokens, [B, S].
    """

    keys: Tensor
    values: Tensor
    mask: Tensor

    def keep(self, sentences: Tensor) -> "AttendedMemory":
        """Return the memory of these sentences only, [B']."""
        return AttendedMemory(self.keys[sentences], self.values[sentences], self.mask[sentences])


class Attention(Protocol):
    """A way to score queries against keys."""

    def make_keys(self, memory: Tensor) -> Tensor:
        """[B, S, D] to [B, S, K]; computed once for each sentence."""
        ...

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """[B, Q, Dq] and [B, S, K] to scores [B, Q, S]."""
        ...


def prepare(attention: Attention, memory: Tensor, mask: Tensor) -> AttendedMemory:
    """Make the keys of a memory [B, S, D] with its mask [B, S]."""
    return AttendedMemory(attention.make_keys(memory), memory, mask)


def attend(attention: Attention, query: Tensor, attended: AttendedMemory) -> tuple[Tensor, Tensor]:
    """Return contexts [N, T, D] and weights [N, T, S] for queries [N, T, Dq].

    The N / B rows of a sentence (a beam) are more queries on the same memory, which is never
    copied: a_ij = softmax_j(score(q_i, k_j)) over real tokens, c_i = sum_j a_ij v_j
    (Bahdanau et al. 2015, eq. 5 and 6).
    """
    rows, steps, width = query.shape
    sentences = attended.keys.shape[0]
    grouped = query.reshape(sentences, -1, width)  # [B, (N / B) x T, Dq]
    scores = attention.score(grouped, attended.keys)  # [B, Q, S]
    scores = scores.masked_fill(~attended.mask[:, None, :], float("-inf"))
    weights = scores.softmax(-1)
    context = weights @ attended.values  # [B, Q, D]
    return context.reshape(rows, steps, -1), weights.reshape(rows, steps, -1)
