"""Which continuations of a beam live on and which are finished: pure functions of scores."""

from dataclasses import dataclass

import torch
from torch import Tensor

from s2scli.special_ids import EOS_ID

IMPOSSIBLE = float("-inf")


@dataclass(frozen=True)
class Candidates:
    """The C best continuations of each sentence's beam, best first.

    Attributes:
        score: sums of log-probabilities, [B, C].
        token: the token each appends, [B, C].
        parent: the beam row each continues, [B, C].
    """

    score: Tensor
    token: Tensor
    parent: Tensor

    def take(self, places: Tensor) -> "Candidates":
        """Return the candidates at these places, [B, C']."""
        return Candidates(
            self.score.gather(1, places),
            self.token.gather(1, places),
            self.parent.gather(1, places),
        )


def expand(scores: Tensor, log_probs: Tensor, beam_size: int) -> Candidates:
    """Return the 2 x `beam_size` best continuations (fewer where there are not so many).

    Twice the beam is enough for `beam_size` of them not to be the end token.

    Args:
        scores: sums so far, [B, K].
        log_probs: of the next token, [B, K, V].
        beam_size: rows that may live on.
    """
    vocab_size = log_probs.shape[-1]
    total = (scores[:, :, None] + log_probs).flatten(1)  # [B, K x V]
    score, index = total.topk(min(2 * beam_size, total.shape[1]), dim=1)
    return Candidates(score, index % vocab_size, index // vocab_size)


def ended(candidates: Candidates, beam_size: int) -> Tensor:
    """Return the scores of those that end within the first `beam_size`, -inf elsewhere, [B, C]."""
    place = torch.arange(candidates.score.shape[1], device=candidates.score.device)
    finished = (candidates.token == EOS_ID) & (place < beam_size)
    return candidates.score.masked_fill(~finished, IMPOSSIBLE)


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
