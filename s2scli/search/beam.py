"""The beam: the best continuations of all hypotheses of a sentence live on (Graves 2012).

With a beam of 1 that is greedy search.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from s2scli.search.live import IMPOSSIBLE, Candidates, Chosen, Live
from s2scli.special_ids import EOS_ID

BLOCK = 64


@dataclass(frozen=True)
class Beam:
    """Keeps the `size` best hypotheses of each sentence."""

    size: int

    def choose(self, log_probs: Tensor, live: Live) -> Chosen:
        """Return what ends among the `size` best, and the `size` best that do not end."""
        candidates = expand(live.scores, log_probs, self.size)
        return Chosen(ended(candidates, self.size), alive(candidates, self.size))


def expand(scores: Tensor, log_probs: Tensor, beam_size: int) -> Candidates:
    """Return the 2 x `beam_size` best continuations, best first (fewer where there are fewer).

    Twice the beam is enough for `beam_size` of them not to be the end token.

    Args:
        scores: sums so far, [B, K].
        log_probs: of the next token, [B, K, V].
        beam_size: rows that may live on.
    """
    vocab_size = log_probs.shape[-1]
    total = (scores[:, :, None] + log_probs).flatten(1)  # [B, K x V]
    score, index = largest(total, min(2 * beam_size, total.shape[1]))
    return Candidates(score, index % vocab_size, index // vocab_size)


def largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the `count` largest values of each row [B, M], and their places, largest first.

    What is among the largest is in one of the blocks whose maxima are among the largest: only
    those are looked at, as to search all of a row takes several times as long as its maxima do.
    """
    blocks = values.shape[1] // BLOCK
    if blocks <= count:
        found = values.topk(count, dim=1)
        return found.values, found.indices
    whole = values[:, : blocks * BLOCK].view(-1, blocks, BLOCK)
    best = whole.amax(2).topk(count, dim=1).indices  # [B, C]
    inside = torch.arange(BLOCK, device=values.device)
    places = (best[:, :, None] * BLOCK + inside).flatten(1)  # [B, C x BLOCK]
    rest = torch.arange(blocks * BLOCK, values.shape[1], device=values.device)
    places = torch.cat([places, rest.expand(len(values), -1)], 1)
    found = values.gather(1, places).topk(count, dim=1)
    return found.values, places.gather(1, found.indices)


def ended(candidates: Candidates, beam_size: int) -> Candidates:
    """Return the first `beam_size`, with a score of -inf where they do not end."""
    score, token = candidates.score[:, :beam_size], candidates.token[:, :beam_size]
    return Candidates(
        score.masked_fill(token != EOS_ID, IMPOSSIBLE), token, candidates.parent[:, :beam_size]
    )


def alive(candidates: Candidates, beam_size: int) -> Candidates:
    """Return the `beam_size` best that do not end, best first, [B, beam_size].

    Where there are fewer, the rest are impossible ones with a score of -inf.
    """
    score = candidates.score.masked_fill(candidates.token == EOS_ID, IMPOSSIBLE)
    width = min(beam_size, score.shape[1])
    # a stable sort keeps the order of equals, so that ties fall the same way in every batch
    places = score.sort(dim=1, descending=True, stable=True).indices[:, :width]
    kept = candidates.take(places)
    return Candidates(score.gather(1, places), kept.token, kept.parent)
