"""Diverse beam search: groups of hypotheses that avoid each other's tokens."""

from dataclasses import dataclass

import torch
from torch import Tensor

from s2scli.search.beam import alive, ended, expand
from s2scli.search.live import IMPOSSIBLE, Candidates, Chosen, Live


@dataclass(frozen=True)
class DiverseBeam:
    """Divides the beam into groups with Hamming diversity (Vijayakumar et al. 2018).

    The groups choose one after the other. A group chooses its hypotheses by the sum of
    log-probabilities, minus `strength` for each hypothesis of an earlier group that chose the same
    token at this step. The scores of the hypotheses remain the model's.

    Attributes:
        size: number of hypotheses in all groups.
        groups: number of groups, which divides `size`.
        strength: the weight of the diversity.
    """

    size: int
    groups: int
    strength: float

    def choose(self, log_probs: Tensor, live: Live) -> Chosen:
        """Return the hypotheses of all groups that end, and those that continue."""
        count, beam, vocab_size = log_probs.shape
        own, keep = max(1, beam // self.groups), self.size // self.groups
        taken = log_probs.new_zeros(count, 1, vocab_size)
        chosen = []
        for group in range(self.groups):
            first = group * own if live.length else 0  # all groups begin with the empty hypothesis
            scores, mine = live.scores[:, first : first + own], log_probs[:, first : first + own]
            found = expand(scores, mine - self.strength * taken, keep)
            kept = alive(found, keep)
            real = (kept.score > IMPOSSIBLE).to(taken.dtype)
            taken = taken.scatter_add(2, kept.token[:, None], real[:, None])
            chosen += [
                Candidates(_unpenalised(each, scores, mine), each.token, each.parent + first)
                for each in (ended(found, keep), kept)
            ]
        return Chosen(_joined(chosen[::2]), _joined(chosen[1::2]))


def _unpenalised(found: Candidates, scores: Tensor, log_probs: Tensor) -> Tensor:
    """Return the sums of log-probabilities of candidates; -inf for those that are none, [B, C]."""
    at = torch.arange(len(scores), device=scores.device)[:, None]
    sums = scores[at, found.parent] + log_probs[at, found.parent, found.token]
    return sums.masked_fill(found.score == IMPOSSIBLE, IMPOSSIBLE)


def _joined(groups: list[Candidates]) -> Candidates:
    """Return the candidates of all groups in one table, [B, C]."""
    return Candidates(
        torch.cat([each.score for each in groups], 1),
        torch.cat([each.token for each in groups], 1),
        torch.cat([each.parent for each in groups], 1),
    )
