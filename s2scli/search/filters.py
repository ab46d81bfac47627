"""Rules for the next token: each forbids some tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from s2scli.search.live import IMPOSSIBLE, Live
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID

NEVER_WRITTEN = (PAD_ID, BOS_ID)

# Takes the log-probabilities of the next token [B, K, V], which it may change in place, and the
# live hypotheses; returns the log-probabilities with -inf for forbidden tokens.
Filter = Callable[[Tensor, Live], Tensor]


def make_filters(settings: SearchSettings) -> tuple[Filter, ...]:
    """Return the rules in the order they apply; a later one overrides an earlier one."""
    filters: list[Filter] = [forbid_special]
    if settings.no_repeat_ngram:
        filters.append(NoRepeatedNgrams(settings.no_repeat_ngram))
    if settings.min_length > 1:
        filters.append(MinLength(settings.min_length))
    return (*filters, end_in_time)


def forbid_special(log_probs: Tensor, live: Live) -> Tensor:
    """Forbid the padding token and the begin token."""
    for token in NEVER_WRITTEN:
        log_probs[..., token] = IMPOSSIBLE
    return log_probs


@dataclass(frozen=True)
class NoRepeatedNgrams:
    """Never repeats an n-gram of `size` tokens in one output (Paulus et al. 2018, section 2.5)."""

    size: int

    def __call__(self, log_probs: Tensor, live: Live) -> Tensor:
        """Forbid tokens that would repeat an n-gram; the end token is always allowed."""
        if live.length < self.size:
            return log_probs
        written = live.tokens.flatten(0, 1)  # [N, T]
        ngrams = written.unfold(1, self.size, 1)  # [N, T - size + 1, size]
        last = written[:, live.length - self.size + 1 :]  # [N, size - 1]
        seen = (ngrams[..., :-1] == last[:, None]).all(-1) & (ngrams[..., -1] != EOS_ID)
        row, index = seen.nonzero(as_tuple=True)
        log_probs.flatten(0, 1)[row, ngrams[row, index, -1]] = IMPOSSIBLE
        return log_probs


@dataclass(frozen=True)
class MinLength:
    """Requires at least `tokens` tokens in each output, end token included."""

    tokens: int

    def __call__(self, log_probs: Tensor, live: Live) -> Tensor:
        """Forbid the end token while the output is too short, unless no other token is possible."""
        if live.length + 1 >= self.tokens:
            return log_probs
        end = log_probs[..., EOS_ID].clone()
        log_probs[..., EOS_ID] = IMPOSSIBLE
        others = log_probs.amax(-1) > IMPOSSIBLE  # [B, K]
        log_probs[..., EOS_ID] = end.masked_fill(others, IMPOSSIBLE)
        return log_probs


def end_in_time(log_probs: Tensor, live: Live) -> Tensor:
    """Force the end token at the last allowed position."""
    must = (live.longest <= live.length + 1).nonzero().squeeze(1)
    if len(must):
        end = log_probs[must, :, EOS_ID]
        log_probs[must] = IMPOSSIBLE
        log_probs[must, :, EOS_ID] = end
    return log_probs
