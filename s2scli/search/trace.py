"""What a search did, step by step: which continuations it kept, pruned and ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from torch import Tensor

from s2scli.search.beam import expand
from s2scli.search.endings import Endings
from s2scli.search.live import IMPOSSIBLE, Candidates, Chosen, Live

Fate = Literal["kept", "pruned", "ended"]


class Observer(Protocol):
    """Is told what a search does; `Trace` implements it."""

    def see(
        self, live: Live, log_probs: Tensor, chosen: Chosen, endings: Sequence[Endings]
    ) -> None:
        """Learn what one step did.

        Args:
            live: the hypotheses that were extended.
            log_probs: log-probabilities of the next token, [B, K, V].
            chosen: the continuations that end here, and those that continue.
            endings: the finished hypotheses so far, those of this step included.
        """
        ...


@dataclass(frozen=True)
class Branch:
    """A continuation that a search considered: a hypothesis and one more token.

    Attributes:
        parent: the index of the branch that it continues; None at the first step.
        step: the step, from 1; also its length in tokens.
        token: the token that it adds.
        log_prob: the sum of the log-probabilities of its tokens.
        fate: whether it was kept for the next step, pruned, or ended.
        score: the ranking score of one that ended, otherwise None.
    """

    parent: int | None
    step: int
    token: int
    log_prob: float
    fate: Fate
    score: float | None = None


@dataclass
class Trace:
    """Records the search of one sentence.

    Attributes:
        branches: all continuations considered so far, in the order of the steps.
        live: the indices of the branches that are live, by their place in the beam.
    """

    branches: list[Branch] = field(default_factory=list)
    live: list[int | None] = field(default_factory=lambda: [None])

    def see(
        self, live: Live, log_probs: Tensor, chosen: Chosen, endings: Sequence[Endings]
    ) -> None:
        """Record the 2 x beam best continuations, and those that were chosen."""
        width = chosen.live.score.shape[1]
        seen = {
            (parent, token): self._branch(live, parent, token, score, "pruned")
            for score, token, parent in _rows(expand(live.scores, log_probs, width))
        }
        scores = {tuple(one.token_ids.tolist()): one.score for one in endings[0].found}
        for score, token, parent in _rows(chosen.ended):
            branch = self._branch(live, parent, token, score, "ended")
            tokens = (*live.tokens[0, parent].tolist(), token)
            seen[parent, token] = replace(branch, score=scores[tokens])
        for score, token, parent in _rows(chosen.live):
            seen[parent, token] = self._branch(live, parent, token, score, "kept")
        numbers = {}
        for key, branch in seen.items():
            numbers[key] = len(self.branches)
            self.branches.append(branch)
        places = zip(chosen.live.parent[0].tolist(), chosen.live.token[0].tolist(), strict=True)
        self.live = [numbers.get(place) for place in places]

    def _branch(self, live: Live, parent: int, token: int, score: float, fate: Fate) -> Branch:
        return Branch(self.live[parent], live.length + 1, token, score, fate)


def _rows(candidates: Candidates) -> list[tuple[float, int, int]]:
    """Return the score, the token and the parent of each possible candidate of one sentence."""
    columns = (candidates.score[0], candidates.token[0], candidates.parent[0])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [(score, token, parent) for score, token, parent in rows if score > IMPOSSIBLE]
