"""The attention protocol, and the computation of weights and contexts from scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from s2scli.model.kernels.softmax import softmax


@dataclass(frozen=True)
class AttendedMemory:
    """The keys and values of an encoder's memory, computed once per sentence.

    Attributes:
        keys: [B, S, K]; [B, H, S, K] for multi-head attention.
        values: [B, S, D]; [B, H, S, K] for multi-head attention.
        mask: True at real tokens, [B, S]; None if there is no padding.
        coverage: the attention that each row has paid so far, [N, S]; None for attention that does
            not read it.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor | None
    coverage: Tensor | None = None

    def keep(self, sentences: Tensor) -> "AttendedMemory":
        """Return the memory of the sentences with these indices [B'] only."""
        return AttendedMemory(
            self.keys.index_select(0, sentences),
            self.values.index_select(0, sentences),
            None if self.mask is None else self.mask.index_select(0, sentences),
        )


@dataclass(frozen=True)
class Attended:
    """The output of attention.

    Attributes:
        context: [N, T, C].
        weights: the distribution of each head over the source, [N, T, H, S]. Multi-head attention
            returns None unless weights are requested.
    """

    context: Tensor
    weights: Tensor | None


class Attention(Protocol):
    """Attention of queries over a memory.

    The N / B rows of a sentence (its beam) share one memory, which is never copied.

    Attributes:
        num_heads: the number of heads, H.
        output_dim: the width of a context, C.
        covers: whether the scores depend on the attention paid so far, so that a decoder has to
            run step by step.
    """

    num_heads: int
    output_dim: int
    covers: bool

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """Compute the keys and values of a memory [B, S, D] with mask [B, S]."""
        ...

    def attend(self, query: Tensor, memory: AttendedMemory, *, attention: bool) -> Attended:
        """Return contexts and weights for queries [N, T, Dq].

        Args:
            query: [N, T, Dq].
            memory: the prepared memory of B sentences.
            attention: whether to return the weights.
        """
        ...


def blend(
    score: Callable[[Tensor, Tensor], Tensor], query: Tensor, memory: AttendedMemory
) -> Attended:
    """Return contexts and weights of single-head attention.

    The weights are a_ij = softmax_j(score(q_i, k_j)) over real tokens, and the contexts are
    c_i = sum_j a_ij v_j (Bahdanau et al. 2015, eq. 5 and 6).

    Args:
        score: returns the scores [B, Q, S] of queries [B, Q, Dq] and keys [B, S, K].
        query: [N, T, Dq].
        memory: the prepared memory of B sentences.
    """
    rows, steps, width = query.shape
    sentences = memory.keys.shape[0]
    scores = score(query.reshape(sentences, -1, width), memory.keys)  # [B, Q, S]
    if memory.mask is not None:
        scores = scores.masked_fill(~memory.mask[:, None, :], float("-inf"))
    weights = softmax(scores)
    context = weights @ memory.values  # [B, Q, D]
    return Attended(context.reshape(rows, steps, -1), weights.reshape(rows, steps, 1, -1))
