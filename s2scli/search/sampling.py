"""Drawing outputs at random, each token with the probability that the model gives it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2scli.search.live import IMPOSSIBLE, Candidates, Chosen, Live
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import EOS_ID


@dataclass(frozen=True)
class Sampler:
    """Draws each hypothesis on its own.

    Attributes:
        settings: how many, and from which distribution.
        draws: a number in [0, 1) for each token of each hypothesis of each sentence of the
            search, [sentences, N, T].
    """

    settings: SearchSettings
    draws: Tensor

    def choose(self, log_probs: Tensor, live: Live) -> Chosen:
        """Return one continuation of each hypothesis; of the empty one, `n_best`."""
        probs = truncate(log_probs, self.settings)  # [B, K, V]
        draws = self.draws[live.numbers, :, live.length]  # [B, N]
        if not live.length:
            probs = probs.expand(-1, draws.shape[1], -1)
            log_probs = log_probs.expand_as(probs)
        token = draw(probs, draws)  # [B, N]
        scores = live.scores + log_probs.gather(2, token[..., None]).squeeze(2)
        parent = torch.arange(live.scores.shape[1], device=token.device).expand_as(token)
        ends = token == EOS_ID
        return Chosen(
            Candidates(scores.masked_fill(~ends, IMPOSSIBLE), token, parent),
            Candidates(scores.masked_fill(ends, IMPOSSIBLE), token, parent),
        )


def make_draws(
    seed: int, keys: Sequence[Sequence[int]], count: int, longest: Sequence[int]
) -> Tensor:
    """Return the random numbers of a search, [sentences, count, T].

    Those of a sentence depend on the seed, its key and its longest output only, not on the rest of
    the batch; more samples begin with the same ones.

    Args:
        seed: of them all.
        keys: what tells each sentence from others: ids of its source.
        count: samples of each.
        longest: tokens of each.
    """
    draws = torch.zeros(len(keys), count, max(longest))
    for row, (key, length) in enumerate(zip(keys, longest, strict=True)):
        random = np.random.default_rng([seed, *key])
        numbers = random.random((count, length), np.float32)
        draws[row, :, :length] = torch.from_numpy(numbers)
    return draws


def draw(probs: Tensor, numbers: Tensor) -> Tensor:
    """Return the token below whose cumulative probability each number falls, [B, K].

    Args:
        probs: of each token, any multiple of them, [B, K, V].
        numbers: in [0, 1), multiples of 2^-24, [B, K].
    """
    below = probs.double().cumsum(-1)  # [B, K, V]
    wanted = numbers[..., None].double() * below[..., -1:]
    return torch.searchsorted(below, wanted, right=True).squeeze(-1)


def truncate(log_probs: Tensor, settings: SearchSettings) -> Tensor:
    """Return the probabilities to draw from, which need not sum to 1, [..., V].

    First comes the temperature (Ackley, Hinton & Sejnowski 1985), p^(1/T), then top-k, top-p and
    min-p, each on the result of the one before.
    """
    probs = (log_probs / settings.temperature).softmax(-1)
    if settings.top_k:
        probs = top_k(probs, settings.top_k)
    if settings.top_p < 1:
        probs = top_p(probs, settings.top_p)
    return min_p(probs, settings.min_p) if settings.min_p else probs


def top_k(probs: Tensor, count: int) -> Tensor:
    """Keep the `count` most probable tokens (Fan, Lewis & Dauphin 2018, section 5.4), [..., V]."""
    best = probs.topk(min(count, probs.shape[-1]), dim=-1)
    return torch.zeros_like(probs).scatter(-1, best.indices, best.values)


def top_p(probs: Tensor, mass: float) -> Tensor:
    """Keep the fewest tokens with `mass` of the probability (Holtzman et al. 2020, eq. 2 and 3).

    Those are the most probable ones, up to the first with which they reach it, [..., V].
    """
    order = probs.sort(dim=-1, descending=True, stable=True)
    before = order.values.cumsum(-1) - order.values
    spare = before >= mass * probs.sum(-1, keepdim=True)
    spare[..., 0] = False
    return torch.zeros_like(probs).scatter(-1, order.indices, order.values.masked_fill(spare, 0.0))


def min_p(probs: Tensor, share: float) -> Tensor:
    """Keep tokens of at least `share` of the best one's probability (Nguyen et al. 2025, eq. 2)."""
    return probs.masked_fill(probs < share * probs.amax(-1, keepdim=True), 0.0)
