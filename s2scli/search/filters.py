"""Rules for the next token: each forbids some tokens, or makes them less probable."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2scli.search.banned import BannedWords, Copies
from s2scli.search.live import IMPOSSIBLE, Live, makes_host_wait
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID

NEVER_WRITTEN = (PAD_ID, BOS_ID)

# Takes the log-probabilities of the next token [B, K, V], which it may change in place, and the
# live hypotheses; returns the log-probabilities with -inf for forbidden tokens.
Filter = Callable[[Tensor, Live], Tensor]


def make_filters(settings: SearchSettings, rules: Rules = NO_RULES) -> tuple[Filter, ...]:
    """Return the filters in the order they apply; a later one overrides an earlier one."""
    filters: list[Filter] = [forbid_special]
    if settings.no_repeat_ngram:
        filters.append(NoRepeatedNgrams(settings.no_repeat_ngram))
    if settings.repetition_penalty > 1:
        filters.append(RepetitionPenalty(settings.repetition_penalty))
    if rules.banned is not None:
        filters.append(NoBannedWords(rules.banned, rules.copies))
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
        tokens = ngrams[..., -1]  # [N, T - size + 1]
        seen = (ngrams[..., :-1] == last[:, None]).all(-1) & (tokens != EOS_ID)
        padding = log_probs[..., PAD_ID].clone()  # stands for those that were not seen
        log_probs.flatten(0, 1).scatter_(1, tokens.masked_fill(~seen, PAD_ID), IMPOSSIBLE)
        log_probs[..., PAD_ID] = padding
        return log_probs


@dataclass(frozen=True)
class RepetitionPenalty:
    """Makes tokens that the output already has less probable.

    Keskar et al. 2019 (CTRL), section 4.1, divide the logit of such a token by `factor`, which
    depends on an arbitrary constant in the logits. Here, as in beam search of the Hugging Face
    library, its log-probability is multiplied: p becomes p^factor.
    """

    factor: float

    def __call__(self, log_probs: Tensor, live: Live) -> Tensor:
        """Multiply the log-probabilities of the tokens written so far."""
        written = log_probs.gather(2, live.tokens)  # [B, K, T]
        return log_probs.scatter(2, live.tokens, written * self.factor)


@dataclass(frozen=True)
class NoBannedWords:
    """Forbids the tokens that would complete a banned word.

    Attributes:
        banned: the banned words.
        copies: for a model that copies: what can be copied from each source.
    """

    banned: BannedWords
    copies: Sequence[Copies] = ()

    def __call__(self, log_probs: Tensor, live: Live) -> Tensor:
        """Forbid tokens of each hypothesis, by the text that it ends with."""
        rows = live.tokens[:, :, -self.banned.tokens_read :].tolist()
        last = (live.longest <= live.length + 2).tolist()
        copies = [self.copies[number] if self.copies else None for number in live.numbers.tolist()]
        forbidden = [
            (sentence, beam, token)
            for sentence, beams in enumerate(rows)
            for beam, tokens in enumerate(beams)
            for token in self.banned.forbidden(tokens, last=last[sentence], copies=copies[sentence])
        ]
        if forbidden:
            index = torch.tensor(forbidden, device=log_probs.device).unbind(1)
            log_probs[index] = IMPOSSIBLE
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
    must = live.longest <= live.length + 1  # [B]
    if makes_host_wait(must.device):
        end = log_probs[..., EOS_ID].clone()
        log_probs.masked_fill_(must[:, None, None], IMPOSSIBLE)
        log_probs[..., EOS_ID] = end
    elif must.any():
        end = log_probs[must, :, EOS_ID]
        log_probs[must] = IMPOSSIBLE
        log_probs[must, :, EOS_ID] = end
    return log_probs
