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
    score, index = largest_sums(scores, log_probs, beam_size * 2)
    return Candidates(score, index % vocab_size, index // vocab_size)


def largest_sums(scores: Tensor, log_probs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the `count` largest of scores + log_probs (fewer where there are fewer), [B, C].

    They come largest first, with their places among the K x V. What is among the largest is in one
    of the blocks whose maxima are among the largest: only those are looked at, as adding up and
    sorting all would take as long as a layer of the model.

    Args:
        scores: [B, K].
        log_probs: [B, K, V].
        count: C.
    """
    sentences, beam, vocab_size = log_probs.shape
    blocks = vocab_size // BLOCK
    if beam * blocks <= count:
        total = (scores[:, :, None] + log_probs).flatten(1)  # [B, K x V]
        found = total.topk(min(count, total.shape[1]), dim=1)
        return found.values, found.indices
    whole = log_probs[..., : blocks * BLOCK].view(sentences, beam, blocks, BLOCK)
    maxima = (scores[:, :, None] + whole.amax(3)).flatten(1)  # [B, K x blocks]
    best = maxima.topk(count, dim=1).indices
    parent = best // blocks
    first = parent * vocab_size + best % blocks * BLOCK  # [B, C]
    every = torch.arange(beam * vocab_size, device=scores.device).view(beam, vocab_size)
    inside = (first[:, :, None] + every[0, :BLOCK]).flatten(1)  # [B, C x BLOCK]
    found_inside = log_probs.flatten(1).gather(1, inside).view(sentences, count, BLOCK)
    rest = every[:, blocks * BLOCK :].flatten().expand(sentences, -1)
    places = torch.cat([inside, rest], 1)
    sums = torch.cat(
        [
            (scores.gather(1, parent)[:, :, None] + found_inside).flatten(1),
            (scores[:, :, None] + log_probs[..., blocks * BLOCK :]).flatten(1),
        ],
        1,
    )
    found = sums.topk(count, dim=1)
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
