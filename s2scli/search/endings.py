"""Finished hypotheses, and the decision when to stop searching a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from s2scli.model.states import DecoderStep
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.live import IMPOSSIBLE, Candidates, Live
from s2scli.search.ranking import best_possible, normalise
from s2scli.search.settings import SearchSettings


@dataclass(frozen=True)
class Ending:
    """A finished hypothesis of T tokens.

    Attributes:
        score: the ranking score.
        token_ids: the tokens, [T].
        token_scores: the log-probability of each token, [T].
        rows: the hypothesis's row in the batch at each step, [T].
    """

    score: float
    token_ids: Tensor
    token_scores: Tensor
    rows: Tensor


@dataclass
class Endings:
    """The finished hypotheses of one sentence.

    Attributes:
        wanted: n, the number of hypotheses to return.
        found: the finished hypotheses, unsorted.
        reached: the n-th best score, which others must exceed; -inf if there are fewer than n.
    """

    wanted: int
    found: list[Ending] = field(default_factory=list)
    reached: float = IMPOSSIBLE

    def add(self, ending: Ending) -> None:
        """Add a finished hypothesis."""
        self.found.append(ending)
        if len(self.found) >= self.wanted:
            self.reached = self.best()[-1].score

    def best(self) -> list[Ending]:
        """Return the n best, best first; ties keep the order in which they ended."""
        return sorted(self.found, key=lambda ending: -ending.score)[: self.wanted]


def collect(
    endings: Sequence[Endings],
    live: Live,
    ended: Candidates,
    log_probs: Tensor,
    settings: SearchSettings,
) -> None:
    """Add the hypotheses that end at this step to the endings of their sentences."""
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
    """Return the indices of the sentences to keep searching, [B'].

    These have a live hypothesis that can still rank above the n-th best finished one. Until
    `beam_size` hypotheses have finished, the best score that it can still reach is compared; after
    that, its current score.
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


@dataclass(frozen=True)
class Seen:
    """What the model saw of the source at one step.

    Attributes:
        attention_weights: [N, A, S], or None.
        p_copy: the probability of copying, [N], or None.
    """

    attention_weights: Tensor | None = None
    p_copy: Tensor | None = None

    @classmethod
    def of(cls, step: DecoderStep) -> "Seen":
        """Return what a step saw."""
        return cls(step.attention_weights, step.p_copy)


def make_hypothesis(ending: Ending, steps: Sequence[Seen]) -> Hypothesis:
    """Return a finished hypothesis with what the model saw at its steps."""
    rows = ending.rows.tolist()
    seen = _followed(rows, [step.attention_weights for step in steps])
    copying = _followed(rows, [step.p_copy for step in steps])
    return Hypothesis(
        tuple(ending.token_ids.tolist()),
        ending.score,
        tuple(ending.token_scores.tolist()),
        torch.stack(seen).float().cpu().numpy() if seen else None,
        p_copy=tuple(torch.stack(copying).tolist()) if copying else (),
    )


def _followed(rows: Sequence[int], steps: Sequence[Tensor | None]) -> list[Tensor]:
    """Return the row of each step that a hypothesis had there; empty if the steps are None."""
    return [some[row] for row, some in zip(rows, steps, strict=False) if some is not None]
