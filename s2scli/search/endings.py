"""Finished hypotheses, and when a sentence is finished with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from s2scli.search.hypothesis import Hypothesis
from s2scli.search.live import IMPOSSIBLE, Candidates, Live
from s2scli.search.ranking import best_possible, normalise
from s2scli.search.settings import SearchSettings


@dataclass(frozen=True)
class Ending:
    """A finished hypothesis of T tokens.

    Attributes:
        score: its ranking score.
        token_ids: its tokens, [T].
        token_scores: the log-probability of each, [T].
        rows: the row of the batch that each token's step had it in, [T].
    """

    score: float
    token_ids: Tensor
    token_scores: Tensor
    rows: Tensor


@dataclass
class Endings:
    """The finished hypotheses of one sentence.

    Attributes:
        wanted: how many are wanted, n.
        found: in no order.
        reached: the n-th best score, which another must exceed; -inf where there is none.
    """

    wanted: int
    found: list[Ending] = field(default_factory=list)
    reached: float = IMPOSSIBLE

    def add(self, ending: Ending) -> None:
        """Add one."""
        self.found.append(ending)
        if len(self.found) >= self.wanted:
            self.reached = self.best()[-1].score

    def best(self) -> list[Ending]:
        """Return the n best, best first; equal ones in the order they ended."""
        return sorted(self.found, key=lambda ending: -ending.score)[: self.wanted]


def collect(
    endings: Sequence[Endings],
    live: Live,
    ended: Candidates,
    log_probs: Tensor,
    settings: SearchSettings,
) -> None:
    """Add the hypotheses that end at this step to their sentences' endings."""
    sentence, index = (ended.score > IMPOSSIBLE).nonzero(as_tuple=True)
    if not len(sentence):
        return
    whole = live.grow(ended, log_probs)  # [B, C]
    scores = normalise(whole.scores, whole.length, settings.length_penalty, settings.length_offset)
    for number, score, *parts in zip(
        live.numbers[sentence].tolist(),
        scores[sentence, index].tolist(),
        whole.tokens[sentence, index].unbind(),
        whole.token_scores[sentence, index].unbind(),
        whole.rows[sentence, index].unbind(),
        strict=True,
    ):
        endings[number].add(Ending(score, *parts))


def unfinished(endings: Sequence[Endings], live: Live, settings: SearchSettings) -> Tensor:
    """Return the indices of the sentences that are not finished, [B'].

    Until `beam_size` have ended, a live hypothesis counts with the best score that it can still
    reach by its length; from then on, with its score of now.
    """
    score, exponent, offset = live.scores.amax(1), settings.length_penalty, settings.length_offset
    enough = [len(one.found) >= settings.beam_size for one in endings]
    bound = torch.where(
        torch.tensor(enough, device=score.device),
        normalise(score, live.length, exponent, offset),
        best_possible(score, live.length, live.longest, exponent, offset),
    )
    reached = torch.tensor([one.reached for one in endings], device=score.device)
    return (reached < bound).nonzero().squeeze(1)


def make_hypothesis(ending: Ending, weights: Sequence[Tensor | None]) -> Hypothesis:
    """Return an ending with the attention weights that each of its steps had."""
    rows = ending.rows.tolist()
    seen = [some[row] for row, some in zip(rows, weights, strict=False) if some is not None]
    return Hypothesis(
        tuple(ending.token_ids.tolist()),
        ending.score,
        tuple(ending.token_scores.tolist()),
        torch.stack(seen).float().cpu().numpy() if seen else None,
    )
