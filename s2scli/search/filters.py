"""Rules on the next token: each makes some tokens impossible."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from s2scli.search.live import IMPOSSIBLE, Live
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID

NEVER_WRITTEN = (PAD_ID, BOS_ID)

# Takes log-probabilities [B, K, V], which it may change in place, and what they are to follow;
# returns them with -inf where a token must not come.
Filter = Callable[[Tensor, Live], Tensor]


def make_filters(settings: SearchSettings) -> tuple[Filter, ...]:
    """Return the rules that hold, in order: the last one has the last word."""
    filters: list[Filter] = [forbid_special]
    if settings.no_repeat_ngram:
        filters.append(NoRepeatedNgrams(settings.no_repeat_ngram))
    if settings.min_length > 1:
        filters.append(MinLength(settings.min_length))
    return (*filters, end_in_time)


def forbid_special(log_probs: Tensor, live: Live) -> Tensor:
    """Padding and the begin token are never written."""
    for token in NEVER_WRITTEN:
        log_probs[..., token] = IMPOSSIBLE
    return log_probs


@dataclass(frozen=True)
class NoRepeatedNgrams:
    """No `size` tokens in a row come twice in one output (Paulus et al. 2018, section 2.5)."""

    size: int

    def __call__(self, log_probs: Tensor, live: Live) -> Tensor:
        """Forbid what has followed the last `size` - 1 tokens before; the end is always allowed."""
        if live.length < self.size:
            return log_probs
        written = live.tokens.flatten(0, 1)  # [N, T]
        ngrams = written.unfold(1, self.size, 1)  # [N, T - size + 1, size]
        last = written[:, live.length - self.size + 1 :]  # [N, size - 1]
        seen = (ngrams[..., :-1] == last[:, None]).all(-1) & (ngrams[..., -1] != EOS_ID)
        row, place = seen.nonzero(as_tuple=True)
        log_probs.flatten(0, 1)[row, ngrams[row, place, -1]] = IMPOSSIBLE
        return log_probs


@dataclass(frozen=True)
class MinLength:
    """An output has at least `tokens` tokens, the end token counted, where there are others."""

    tokens: int

    def __call__(self, log_probs: Tensor, live: Live) -> Tensor:
        """Forbid the end before its time, unless nothing else is possible."""
        if live.length + 1 >= self.tokens:
            return log_probs
        end = log_probs[..., EOS_ID].clone()
        log_probs[..., EOS_ID] = IMPOSSIBLE
        others = log_probs.amax(-1) > IMPOSSIBLE  # [B, K]
        log_probs[..., EOS_ID] = end.masked_fill(others, IMPOSSIBLE)
        return log_probs


def end_in_time(log_probs: Tensor, live: Live) -> Tensor:
    """Only the end may come where an output has as many tokens as it may have but one."""
    must = (live.longest <= live.length + 1).nonzero().squeeze(1)
    if len(must):
        end = log_probs[must, :, EOS_ID]
        log_probs[must] = IMPOSSIBLE
        log_probs[must, :, EOS_ID] = end
    return log_probs
