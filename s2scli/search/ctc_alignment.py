"""Forced alignment of tokens to encoder states, with the CTC layer of a model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.search.hypothesis import Hypothesis
from s2scli.search.model import Encoded, Model
from s2scli.special_ids import EOS_ID, PAD_ID

TokenSpan = tuple[int, int]


@torch.inference_mode()
def align_best(
    model: Model[Encoded],
    source: Tensor,
    lengths: Tensor,
    found: Sequence[tuple[Hypothesis, ...]],
    count: int | None = 1,
) -> list[tuple[Hypothesis, ...]]:
    """Add token spans to the best hypotheses of each source.

    Args:
        model: a model with a CTC layer, in evaluation mode.
        source: padded samples, [B, N].
        lengths: the number of real samples in each source, [B].
        found: the hypotheses of each source, best first.
        count: how many of each source get spans; None is all.
    """
    log_probs = model.ctc_log_probs(model.encode(source, lengths)).cpu().numpy()
    states = model.positions(lengths).tolist()
    aligned = []
    for row, of_one in enumerate(found):
        best = of_one[:count]
        spans = [_aligned(one, log_probs[row, : states[row]]) for one in best]
        aligned.append((*spans, *of_one[len(best) :]))
    return aligned


def _aligned(hypothesis: Hypothesis, log_probs: NDArray[np.float32]) -> Hypothesis:
    tokens = [id for id in hypothesis.token_ids if id != EOS_ID]
    return replace(hypothesis, token_spans=align_tokens(log_probs, tokens) or ())


def align_tokens(
    log_probs: NDArray[np.float32], tokens: Sequence[int]
) -> tuple[TokenSpan, ...] | None:
    """Return the encoder states of each token on the most probable path (Viterbi algorithm).

    A path has one symbol for each state: a token or the blank (`PAD_ID`). Merging repetitions and
    then removing blanks gives the tokens (Graves et al. 2006, section 3.1).

    Args:
        log_probs: the log-probabilities of the symbols at each of S >= 1 states, [S, V].
        tokens: the T tokens, without an end token.

    Returns:
        For each token, its first state and the state after its last one; None if the tokens do
        not fit into the states.
    """
    symbols = np.full(2 * len(tokens) + 1, PAD_ID)  # a blank before, between and after tokens
    symbols[1::2] = tokens
    repeated = np.zeros(len(symbols), bool)
    repeated[3::2] = symbols[3::2] == symbols[1:-2:2]
    unskippable = (symbols == PAD_ID) | repeated  # a path cannot skip the symbol before these
    emitted = log_probs[:, symbols].astype(np.float64)  # [S, 2T + 1]
    moves = np.zeros(emitted.shape, np.int8)  # number of symbols that a path advanced: 0, 1 or 2
    best = np.full(len(symbols), -np.inf)
    best[:2] = emitted[0, :2]
    for state in range(1, len(emitted)):
        candidates = np.full((3, len(symbols)), -np.inf)
        candidates[0] = best
        candidates[1, 1:] = best[:-1]
        candidates[2, 2:] = np.where(unskippable, -np.inf, np.roll(best, 2))[2:]
        moves[state] = candidates.argmax(0)
        best = candidates.max(0) + emitted[state]
    end = max(range(max(0, len(symbols) - 2), len(symbols)), key=lambda index: best[index])
    return _spans(moves, end, len(tokens)) if best[end] > -np.inf else None


def _spans(moves: NDArray[np.int8], end: int, tokens: int) -> tuple[TokenSpan, ...]:
    """Trace the path back from the symbol `end`, and return the span of each token."""
    path = np.empty(len(moves), np.int64)
    for state in reversed(range(len(moves))):
        path[state] = end
        end -= moves[state, end]
    firsts = np.searchsorted(path, 2 * np.arange(tokens) + 1)
    lasts = np.searchsorted(path, 2 * np.arange(tokens) + 1, side="right")
    return tuple(zip(firsts.tolist(), lasts.tolist(), strict=True))
