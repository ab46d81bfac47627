"""Sampling: draw output tokens at random from the model's distribution."""

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
    """Samples each hypothesis independently.

    Attributes:
        settings: the search settings, with the number of samples and their distribution.
        draws: a random number in [0, 1) for each token of each sample of each sentence,
            [sentences, N, T].
    """

    settings: SearchSettings
    draws: Tensor

    def choose(self, log_probs: Tensor, live: Live) -> Chosen:
        """Return one continuation of each hypothesis, or `n_best` of the empty one."""
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

    The numbers of a sentence depend only on the seed, its key and its maximum length, not on the
    rest of the batch. A larger `count` keeps the first samples the same.

    Args:
        seed: the random seed.
        keys: ids that identify each sentence, such as those of its source.
        count: samples per sentence.
        longest: maximum length of each sentence, in tokens.
    """
    draws = torch.zeros(len(keys), count, max(longest))
    for row, (key, length) in enumerate(zip(keys, longest, strict=True)):
        random = np.random.default_rng([seed, *key])
        numbers = random.random((count, length), np.float32)
        draws[row, :, :length] = torch.from_numpy(numbers)
    return draws


def draw(probs: Tensor, numbers: Tensor) -> Tensor:
    """Return the token that each random number selects (inverse transform sampling), [B, K].

    Args:
        probs: probabilities, which need not sum to 1, [B, K, V].
        numbers: random numbers in [0, 1), multiples of 2^-24, [B, K].
    """
    below = probs.double().cumsum(-1)  # [B, K, V]
    wanted = numbers[..., None].double() * below[..., -1:]
    found = torch.searchsorted(below, wanted, right=True).squeeze(-1)
    return found.clamp_(max=probs.shape[-1] - 1)  # without any possible token, the last one


def truncate(log_probs: Tensor, settings: SearchSettings) -> Tensor:
    """Return the probabilities to sample from, which need not sum to 1, [..., V].

    The temperature is applied first, as p^(1/T) (Ackley, Hinton & Sejnowski 1985), then top-k,
    top-p and min-p, in this order.
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

    These are the most probable tokens, up to the first that brings their sum to `mass`, [..., V].
    """
    order = probs.sort(dim=-1, descending=True, stable=True)
    before = order.values.cumsum(-1) - order.values
    spare = before >= mass * probs.sum(-1, keepdim=True)
    spare[..., 0] = False
    return torch.zeros_like(probs).scatter(-1, order.indices, order.values.masked_fill(spare, 0.0))


def min_p(probs: Tensor, share: float) -> Tensor:
    """Keep tokens with at least `share` of the largest probability (Nguyen et al. 2025, eq. 2)."""
    return probs.masked_fill(probs < share * probs.amax(-1, keepdim=True), 0.0)
