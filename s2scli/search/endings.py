"""Finished hypotheses, and the decision when to stop searching a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from s2scli.model.states import DecoderStep
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.live import IMPOSSIBLE, Candidates, Live
from s2scli.search.ranking import best_possible, coverage, rank
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
        distinct: leave out an output that was found before, as groups of a beam may do.
        reached: the n-th best score, which others must exceed; -inf if there are fewer than n.
    """

    wanted: int
    distinct: bool = False
    found: list[Ending] = field(default_factory=list)
    reached: float = IMPOSSIBLE

    def add(self, ending: Ending) -> None:
        """Add a finished hypothesis."""
        if self.distinct and any(one.token_ids.equal(ending.token_ids) for one in self.found):
            return
        self.found.append(ending)
        if len(self.found) >= self.wanted:
            self.reached = self.best()[-1].score

    def best(self) -> list[Ending]:
        """Return the n best, best first; ties keep the order in which they ended."""
        return sorted(self.found, key=lambda ending: -ending.score)[: self.wanted]


@dataclass(frozen=True)
class Seen:
    """What the model saw of the sources, step by step.

    Attributes:
        positions: number of encoder states of each source, [sentences]; None if there are none.
        weights: the attention weights of each step, [N, A, S], or None.
        p_copy: the probability of copying of each step, [N], or None.
    """

    positions: Tensor | None = None
    weights: list[Tensor | None] = field(default_factory=list)
    p_copy: list[Tensor | None] = field(default_factory=list)

    def add(self, step: DecoderStep) -> None:
        """Add what the model saw at a step."""
        self.weights.append(step.attention_weights)
        self.p_copy.append(step.p_copy)

    def of(self, rows: Tensor) -> Tensor:
        """Return the weights of hypotheses with these rows in the batch, [n, T, A, S].

        Args:
            rows: the hypothesis's row at each step, [n, T].
        """
        steps = zip(self.weights, rows.unbind(1), strict=False)  # there may be later ones
        return torch.stack([some[row] for some, row in steps if some is not None], 1)


def collect(
    endings: Sequence[Endings],
    live: Live,
    ended: Candidates,
    log_probs: Tensor,
    seen: Seen,
    settings: SearchSettings,
) -> None:
    """Add the hypotheses that end at this step to the endings of their sentences."""
    if (ended.score > IMPOSSIBLE).any():
        add_endings(endings, live.grow(ended, log_probs), seen, settings)


def add_endings(
    endings: Sequence[Endings], whole: Live, seen: Seen, settings: SearchSettings
) -> None:
    """Add hypotheses to the endings of their sentences.

    Args:
        endings: the finished hypotheses of all sentences of the search.
        whole: the hypotheses with their end token; those with a score of -inf do not count.
        seen: what the model saw until then or later, perhaps on another device.
        settings: the search settings.
    """
    sentence, index = (whole.scores > IMPOSSIBLE).nonzero(as_tuple=True)
    if not len(sentence):
        return
    numbers, rows = whole.numbers[sentence], whole.rows[sentence, index]
    scores = rank(whole.scores, whole.length, settings)[sentence, index]
    if settings.coverage_penalty and seen.positions is not None:
        covered = coverage(seen.of(rows), seen.positions[numbers])
        scores = scores + settings.coverage_penalty * covered.to(scores.device)
    for number, score, *parts in zip(
        numbers.tolist(),
        scores.tolist(),
        whole.tokens[sentence, index].unbind(),
        whole.token_scores[sentence, index].unbind(),
        rows.unbind(),
        strict=True,
    ):
        endings[number].add(Ending(score, *parts))


def unfinished(endings: Sequence[Endings], live: Live, settings: SearchSettings) -> Tensor:
    """Return the indices of the sentences to keep searching, [B'].

    These have a live hypothesis that can still rank above the n-th best finished one. Until
    `beam_size` hypotheses have finished, the best score that it can still reach is compared; after
    that, its current score.
    """
    score = live.scores.amax(1)
    enough = [len(one.found) >= settings.beam_size for one in endings]
    bound = torch.where(
        torch.tensor(enough, device=score.device),
        rank(score, live.length, settings),
        best_possible(score, live.length, live.longest, settings),
    )
    reached = torch.tensor([one.reached for one in endings], device=score.device)
    return (reached < bound).nonzero().squeeze(1)


def make_hypothesis(ending: Ending, seen: Seen) -> Hypothesis:
    """Return a finished hypothesis with what the model saw at its steps."""
    rows = ending.rows.tolist()
    weights = _followed(rows, seen.weights)
    copying = _followed(rows, seen.p_copy)
    return Hypothesis(
        tuple(ending.token_ids.tolist()),
        ending.score,
        tuple(ending.token_scores.tolist()),
        torch.stack(weights).float().cpu().numpy() if weights else None,
        p_copy=tuple(torch.stack(copying).tolist()) if copying else (),
    )


def _followed(rows: Sequence[int], steps: Sequence[Tensor | None]) -> list[Tensor]:
    """Return the row of each step that a hypothesis had there; empty if the steps are None."""
    return [some[row] for row, some in zip(rows, steps, strict=False) if some is not None]
