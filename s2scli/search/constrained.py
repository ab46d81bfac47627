"""Constrained beam search: outputs with given beginnings and phrases.

Dynamic beam allocation (Post & Vilar 2018, Fast lexically constrained decoding with dynamic beam
allocation), vectorised as by Hu et al. 2019 (Improved lexically constrained decoding, section 4):
hypotheses are grouped into banks by how many tokens of the phrases they have written, and the banks
take turns to keep their best hypotheses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2scli.search.beam import Beam, expand
from s2scli.search.choosing import Chooser
from s2scli.search.demands import Demands, Progress
from s2scli.search.diverse import DiverseBeam
from s2scli.search.filters import Filter
from s2scli.search.live import IMPOSSIBLE, Candidates, Chosen, Live
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import EOS_ID, PAD_ID

SURE = -1e4  # least log-probability of a demanded token


@dataclass(frozen=True)
class Demanded:
    """Allows only tokens that leave room for all demands, whatever the other rules forbid.

    The end token is forbidden until all phrases are written. Where it is the most probable token
    before that, only tokens that write a phrase are allowed, so that the output does not ramble on.
    Once only as many tokens remain as the
    phrases need, only tokens that write them are allowed. So every output meets the demands, if its
    maximum length is that of `Demands.lengthen`.

    Attributes:
        demands: the demands of all sentences of the search.
        rules: the other rules.
    """

    demands: Demands
    rules: Sequence[Filter]

    def __call__(self, log_probs: Tensor, live: Live) -> Tensor:
        """Apply the other rules, and then the demands."""
        own = self.demands.take(live.numbers)
        progress, would_end = own.progress(live.tokens), log_probs.argmax(2) == EOS_ID
        wanted = own.next_tokens(live.tokens, progress)
        prefix = _prefix_tokens(own, live)  # [B, K, 1]
        demanded = torch.cat([wanted, prefix], 2)  # [B, K, Q + 1]
        kept = log_probs.gather(2, demanded.clamp(min=PAD_ID)).clamp(min=SURE)
        for rule in self.rules:
            log_probs = rule(log_probs, live)
        log_probs = _without(log_probs, own.surplus_tokens(progress))
        undoing = own.undoing_tokens(live.tokens, progress, log_probs.shape[2])
        log_probs = log_probs.masked_fill(undoing, IMPOSSIBLE)
        log_probs = _with(log_probs, demanded, kept)
        log_probs[..., EOS_ID] = log_probs[..., EOS_ID].masked_fill(progress.needed > 0, IMPOSSIBLE)
        log_probs = _only(
            log_probs, wanted, would_end & (progress.needed > 0) & (prefix < 0)[..., 0]
        )
        log_probs = _in_time(log_probs, own, live, wanted, progress)
        return _only(log_probs, prefix, (prefix >= 0)[..., 0])


def _in_time(
    log_probs: Tensor, own: Demands, live: Live, wanted: Tensor, progress: Progress
) -> Tensor:
    """Allow only tokens after which the missing phrases still fit, [B, K, V]."""
    room = (live.longest - live.length - 2)[:, None]  # after this token and before the end
    unbegun = (progress.missing * own.first_lengths[:, None]).sum(2)  # [B, K]
    tight = (unbegun > room) & (progress.needed > 0)
    if not tight.any():
        return log_probs
    count, beam, choices = wanted.shape
    before = live.tokens[:, :, None].expand(-1, -1, choices, -1)  # [B, K, Q, T]
    after = torch.cat([before, wanted.clamp(min=PAD_ID)[..., None]], 3).flatten(1, 2)
    needed = own.progress(after).needed.view(count, beam, choices)
    fits = torch.where(needed <= room[..., None], wanted, -1)
    return _only(log_probs, fits, tight)


def _only(log_probs: Tensor, tokens: Tensor, where: Tensor) -> Tensor:
    """Allow only some tokens in some hypotheses, [B, K, V].

    Args:
        log_probs: log-probabilities, [B, K, V].
        tokens: the tokens; -1 is no token, [B, K, Q].
        where: the hypotheses, [B, K].
    """
    if not where.any():
        return log_probs
    kept = log_probs.gather(2, tokens.clamp(min=PAD_ID))
    only = _with(torch.full_like(log_probs, IMPOSSIBLE), tokens, kept)
    return torch.where(where[..., None], only, log_probs)


def _prefix_tokens(own: Demands, live: Live) -> Tensor:
    """Return the next token of the prefix of each hypothesis; -1 after its end, [B, K, 1]."""
    count, beam = live.scores.shape
    if live.length >= own.prefix.shape[1]:
        return own.prefix.new_full((count, beam, 1), -1)
    return own.prefix[:, live.length, None, None].expand(-1, beam, 1)


def _with(log_probs: Tensor, tokens: Tensor, values: Tensor) -> Tensor:
    """Return log-probabilities with those of some tokens replaced; -1 is no token, [B, K, V]."""
    padding = log_probs[..., PAD_ID].clone()
    changed = log_probs.scatter(2, tokens.clamp(min=PAD_ID), values)
    changed[..., PAD_ID] = padding
    return changed


def _without(log_probs: Tensor, tokens: Tensor) -> Tensor:
    """Return log-probabilities with some tokens forbidden; -1 is no token, [B, K, V]."""
    return _with(log_probs, tokens, log_probs.new_full(tokens.shape, IMPOSSIBLE))


@dataclass(frozen=True)
class ConstrainedBeam:
    """Keeps the best hypotheses of each bank.

    A sentence keeps `size` hypotheses and one more for each token of its phrases, so that every
    bank has a hypothesis.

    Attributes:
        size: the beam size without phrases.
        demands: the demands of all sentences of the search.
    """

    size: int
    demands: Demands

    def choose(self, log_probs: Tensor, live: Live) -> Chosen:
        """Return the best hypotheses of all banks that end, and those that continue."""
        own = self.demands.take(live.numbers)
        widths = (self.size + own.total)[:, None]  # [B, 1]
        widest = self.size + int(self.demands.total.max())
        found = self._candidates(log_probs, live, own, widths, widest)
        at = torch.arange(len(widths), device=widths.device)[:, None]
        after = torch.cat([live.tokens[at, found.parent], found.token[..., None]], 2)
        bank = own.total[:, None] - own.progress(after).needed
        ends = found.token == EOS_ID
        late = _turn(found.score, bank) >= self.size
        ended = found.score.masked_fill(~ends | late, IMPOSSIBLE)
        alive = Candidates(found.score.masked_fill(ends, IMPOSSIBLE), found.token, found.parent)
        return Chosen(
            Candidates(ended, found.token, found.parent), _allocate(alive, bank, widths, widest)
        )

    def _candidates(
        self, log_probs: Tensor, live: Live, own: Demands, widths: Tensor, widest: int
    ) -> Candidates:
        """Return the best continuations, the best of each hypothesis, and those of phrases."""
        best = expand(live.scores, log_probs, widest)
        ranks = torch.arange(best.score.shape[1], device=widths.device)
        score = best.score.masked_fill(ranks >= 2 * widths, IMPOSSIBLE)
        wanted = own.next_tokens(live.tokens, own.progress(live.tokens))  # [B, K, Q]
        single = log_probs.argmax(2, keepdim=True)
        tokens = torch.cat([single, wanted], 2)  # [B, K, 1 + Q]
        sums = live.scores[..., None] + log_probs.gather(2, tokens.clamp(min=PAD_ID))
        sums = sums.masked_fill(tokens < 0, IMPOSSIBLE)
        parents = torch.arange(tokens.shape[1], device=tokens.device)[:, None].expand_as(tokens)
        found = Candidates(
            torch.cat([score, sums.flatten(1)], 1),
            torch.cat([best.token, tokens.clamp(min=PAD_ID).flatten(1)], 1),
            torch.cat([best.parent, parents.flatten(1)], 1),
        )
        return _sorted(found, log_probs.shape[2])


def _sorted(found: Candidates, vocab_size: int) -> Candidates:
    """Return candidates, best first, without copies; those with a score of -inf do not count."""
    key = found.parent * vocab_size + found.token
    # equal scores, as those of copies are, in the order of their keys: the same in every batch
    found = found.take(key.sort(dim=1, stable=True).indices)
    found = found.take(found.score.sort(dim=1, descending=True, stable=True).indices)
    key = found.parent * vocab_size + found.token
    copy = _rank_within(key) > 0
    found = Candidates(found.score.masked_fill(copy, IMPOSSIBLE), found.token, found.parent)
    best = found.score.sort(dim=1, descending=True, stable=True).indices
    most = max(1, int((found.score > IMPOSSIBLE).sum(1).max()))
    return found.take(best[:, :most])


def _turn(score: Tensor, bank: Tensor) -> Tensor:
    """Return how many better candidates of its bank come before each candidate, [B, C].

    Args:
        score: the scores, [B, C]; those of equal score are in order.
        bank: the bank of each candidate, [B, C].
    """
    order = score.sort(dim=1, descending=True, stable=True).indices
    turns = _rank_within(bank.gather(1, order))  # [B, C], in order
    return turns.scatter(1, order, turns)


def _rank_within(group: Tensor) -> Tensor:
    """Return how many earlier entries are of the same group as each entry, [B, C]."""
    grouped = group.sort(dim=1, stable=True)
    at = torch.arange(group.shape[1], device=group.device).expand_as(group)
    begins = torch.ones_like(group, dtype=torch.bool)
    begins[:, 1:] = grouped.values[:, 1:] != grouped.values[:, :-1]
    first = at.masked_fill(~begins, 0).cummax(1).values
    return torch.empty_like(group).scatter(1, grouped.indices, at - first)


def _allocate(found: Candidates, bank: Tensor, widths: Tensor, widest: int) -> Candidates:
    """Return the candidates that continue: the best of each bank, the second best, and so on.

    Args:
        found: the candidates, best first, [B, C].
        bank: the bank of each candidate, [B, C].
        widths: how many to keep in each sentence, [B, 1].
        widest: how many columns to return at most.
    """
    impossible = found.score == IMPOSSIBLE
    turns = _turn(found.score, bank).masked_fill(impossible, found.score.shape[1])
    score = found.score.sort(dim=1, descending=True, stable=True).indices
    order = score.gather(1, turns.gather(1, score).sort(dim=1, stable=True).indices)
    kept = found.take(order[:, :widest])
    extra = torch.arange(kept.score.shape[1], device=widths.device) >= widths
    return Candidates(kept.score.masked_fill(extra, IMPOSSIBLE), kept.token, kept.parent)


def make_beam(settings: SearchSettings, demands: Demands | None) -> Chooser:
    """Return the beam: constrained if phrases are demanded, diverse if it has groups."""
    if demands is not None and demands.tokens.numel():
        return ConstrainedBeam(settings.beam_size, demands)
    if settings.beam_groups > 1:
        return DiverseBeam(settings.beam_size, settings.beam_groups, settings.diversity_penalty)
    return Beam(settings.beam_size)
