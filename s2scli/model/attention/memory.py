"""What attention looks at, and how a way of scoring makes weights and contexts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from s2scli.model.kernels.softmax import softmax


@dataclass(frozen=True)
class AttendedMemory:
    """An encoder's memory made ready for attention, once for each sentence.

    Attributes:
        keys: what a query is compared with, [B, S, K], or [B, H, S, K] for H heads.
        values: what the context is made of, [B, S, D], or [B, H, S, K].
        mask: True at real tokens, [B, S]; None where all are real.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor | None

    def keep(self, sentences: Tensor) -> "AttendedMemory":
        """Return the memory of these sentences only, [B']."""
        return AttendedMemory(
            self.keys.index_select(0, sentences),
            self.values.index_select(0, sentences),
            None if self.mask is None else self.mask.index_select(0, sentences),
        )


@dataclass(frozen=True)
class Attended:
    """What attention found.

    Attributes:
        context: [N, T, C].
        weights: each head's, a distribution over the source, [N, T, H, S]; None if not asked for.
    """

    context: Tensor
    weights: Tensor | None


class Attention(Protocol):
    """A way for queries to read a memory.

    The N / B rows of a sentence (a beam) are more queries on the same memory, which is never
    copied.

    Attributes:
        num_heads: weights it makes for each query, H.
        output_dim: width of a context, C.
    """

    num_heads: int
    output_dim: int

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """Make a memory [B, S, D] with its mask [B, S] ready, once for each sentence."""
        ...

    def attend(self, query: Tensor, memory: AttendedMemory, *, attention: bool) -> Attended:
        """Read the memory of B sentences with queries [N, T, Dq]."""
        ...


def blend(
    score: Callable[[Tensor, Tensor], Tensor], query: Tensor, memory: AttendedMemory
) -> Attended:
    """Return contexts and weights of one head for queries [N, T, Dq].

    a_ij = softmax_j(score(q_i, k_j)) over real tokens, c_i = sum_j a_ij v_j (Bahdanau et al.
    2015, eq. 5 and 6).

    Args:
        score: [B, Q, Dq] and keys [B, S, K] to [B, Q, S].
        query: [N, T, Dq].
        memory: of B sentences.
    """
    rows, steps, width = query.shape
    sentences = memory.keys.shape[0]
    scores = score(query.reshape(sentences, -1, width), memory.keys)  # [B, Q, S]
    if memory.mask is not None:
        scores = scores.masked_fill(~memory.mask[:, None, :], float("-inf"))
    weights = softmax(scores)
    context = weights @ memory.values  # [B, Q, D]
    return Attended(context.reshape(rows, steps, -1), weights.reshape(rows, steps, 1, -1))
