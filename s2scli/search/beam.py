"""Beam search: keep the best continuations of all hypotheses of a sentence (Graves 2012).

A beam size of 1 is greedy search.
"""

from dataclasses import dataclass

from torch import Tensor

from s2scli.model.kernels.largest_sums import largest_sums
from s2scli.search.live import IMPOSSIBLE, Candidates, Chosen, Live
from s2scli.special_ids import EOS_ID


@dataclass(frozen=True)
class Beam:
    """Keeps the `size` best hypotheses of each sentence."""

    size: int

    def choose(self, log_probs: Tensor, live: Live) -> Chosen:
        """Return those of the `size` best that end, and the `size` best that do not end."""
        candidates = expand(live.scores, log_probs, self.size)
        return Chosen(ended(candidates, self.size), alive(candidates, self.size))


def expand(scores: Tensor, log_probs: Tensor, beam_size: int) -> Candidates:
    """Return the 2 x `beam_size` best continuations, best first, or all if there are fewer.

    At most one continuation of each hypothesis is the end token, so at least `beam_size` of them
    do not end.

    Args:
        scores: sum of log-probabilities of each hypothesis, [B, K].
        log_probs: log-probabilities of the next token, [B, K, V].
        beam_size: number of hypotheses to keep.
    """
    vocab_size = log_probs.shape[-1]
    score, index = largest_sums(scores, log_probs, beam_size * 2)
    return Candidates(score, index % vocab_size, index // vocab_size)


def ended(candidates: Candidates, beam_size: int) -> Candidates:
    """Return the first `beam_size` candidates; those that do not end get a score of -inf."""
    score, token = candidates.score[:, :beam_size], candidates.token[:, :beam_size]
    return Candidates(
        score.masked_fill(token != EOS_ID, IMPOSSIBLE), token, candidates.parent[:, :beam_size]
    )


def alive(candidates: Candidates, beam_size: int) -> Candidates:
    """Return the `beam_size` best candidates that do not end, best first, [B, beam_size].

    If fewer candidates continue, the rest have a score of -inf.
    """
    score = candidates.score.masked_fill(candidates.token == EOS_ID, IMPOSSIBLE)
    width = min(beam_size, score.shape[1])
    # a stable sort breaks ties in the same way in every batch
    best = score.sort(dim=1, descending=True, stable=True).indices[:, :width]
    kept = candidates.take(best)
    return Candidates(score.gather(1, best), kept.token, kept.parent)
