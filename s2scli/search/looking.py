"""When the host looks at what has ended: after each step or, on a GPU, after every few steps.

A look at values of a GPU waits for all that it has been told to compute, and in the meantime it is
told nothing. So several steps are computed ahead. A sentence that turns out to have been finished
earlier takes part in a few steps too many, which the host leaves out: the outputs are the same.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from s2scli.search.endings import Endings, Seen, add_endings, collect, unfinished
from s2scli.search.live import Candidates, Live, makes_host_wait
from s2scli.search.settings import SearchSettings

EVERY = 8  # steps


class Looking(Protocol):
    """Collects the endings, and says which sentences are still searched."""

    def see(self, live: Live, ended: Candidates, log_probs: Tensor) -> None:
        """Take note of what ends at a step; the arguments are those of `endings.collect`."""
        ...

    def keep(self, live: Live) -> Tensor | None:
        """Return the indices of the sentences to keep, [B'], or None to keep all.

        Args:
            live: the hypotheses after the step.
        """
        ...


def make_looking(
    endings: Sequence[Endings],
    longest: Tensor,
    seen: Seen,
    settings: SearchSettings,
    *,
    each_step: bool,
) -> Looking:
    """Return how the host looks at a search.

    Args:
        endings: the finished hypotheses of each sentence, which are added to.
        longest: maximum length of each output, on the device of the search, [B].
        seen: what the model saw.
        settings: the search settings.
        each_step: whether the host has to look at each step anyway.
    """
    if each_step or not makes_host_wait(longest.device):
        return EachStep(endings, seen, settings)
    return EveryFewSteps(endings, seen, settings, longest.cpu(), torch.arange(len(endings)))


@dataclass(frozen=True)
class EachStep:
    """Looks after each step.

    Attributes:
        endings: the finished hypotheses of each sentence.
        seen: what the model saw.
        settings: the search settings.
    """

    endings: Sequence[Endings]
    seen: Seen
    settings: SearchSettings

    def see(self, live: Live, ended: Candidates, log_probs: Tensor) -> None:
        """Collect what ends."""
        collect(self.endings, live, ended, log_probs, self.seen, self.settings)

    def keep(self, live: Live) -> Tensor | None:
        """Return the sentences that are not finished, or None if none is."""
        found = [self.endings[number] for number in live.numbers.tolist()]
        kept = unfinished(found, live, self.settings)
        return kept if len(kept) < len(found) else None


@dataclass
class EveryFewSteps:
    """Looks after `EVERY` steps, and when the longest output has reached its limit.

    Attributes:
        endings: the finished hypotheses of each sentence.
        seen: what the model saw.
        settings: the search settings.
        longest: maximum length of the output of each sentence in the batch, on the host, [B].
        numbers: the index of each sentence in the search, on the host, [B].
        ended: what ended at each step since the last look: the hypotheses of `Live.grow`.
        scores: the scores of the live hypotheses after each of these steps, [B, K].
    """

    endings: Sequence[Endings]
    seen: Seen
    settings: SearchSettings
    longest: Tensor
    numbers: Tensor
    ended: list[Live] = field(default_factory=list)
    scores: list[Tensor] = field(default_factory=list)

    def see(self, live: Live, ended: Candidates, log_probs: Tensor) -> None:
        """Remember what ends, on the device."""
        self.ended.append(live.grow(ended, log_probs))

    def keep(self, live: Live) -> Tensor | None:
        """Return the sentences that are not finished; None between looks, and if none is."""
        self.scores.append(live.scores)
        if len(self.scores) < EVERY and live.length < int(self.longest.max()):
            return None
        steps = self._fetch()
        self.ended, self.scores = [], []
        kept = torch.arange(len(self.numbers))
        for whole, scores in steps:
            if not len(kept):
                break
            own = whole.keep(kept)
            found = [self.endings[number] for number in own.numbers.tolist()]
            add_endings(self.endings, own, self.seen, self.settings)
            alive = replace(own, scores=scores[kept])
            kept = kept[unfinished(found, alive, self.settings)]
        if len(kept) == len(self.numbers):
            return None
        self.numbers, self.longest = self.numbers[kept], self.longest[kept]
        return kept.to(live.scores.device)

    def _fetch(self) -> list[tuple[Live, Tensor]]:
        """Return what ended and the live scores at each step, fetched to the host at once."""
        floats = _to_host(
            [*self.scores, *(part for one in self.ended for part in (one.scores, one.token_scores))]
        )
        whole = _to_host([part for one in self.ended for part in (one.tokens, one.rows)])
        steps = len(self.scores)
        return [
            (
                Live(
                    floats[steps + 2 * step],
                    whole[2 * step],
                    floats[steps + 2 * step + 1],
                    whole[2 * step + 1],
                    self.longest,
                    self.numbers,
                ),
                floats[step],
            )
            for step in range(steps)
        ]


def _to_host(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors of one dtype on the host; it waits once."""
    together = torch.cat([tensor.flatten() for tensor in tensors]).cpu()
    ends = list(itertools.accumulate(tensor.numel() for tensor in tensors))
    return [
        together[end - tensor.numel() : end].view(tensor.shape)
        for end, tensor in zip(ends, tensors, strict=True)
    ]
