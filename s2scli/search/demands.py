"""How far hypotheses have met the demands on an output, as tensors.

Axes: B sentences, C hypotheses or candidates per sentence, T tokens, P phrases per sentence,
A spellings per phrase, L tokens per spelling.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from s2scli.search.rules import Demand
from s2scli.search.spelling import Spelling

NO_TOKEN, NOT_WRITTEN = -1, -2


@dataclass(frozen=True)
class Progress:
    """How far hypotheses have met the demands.

    Attributes:
        met: how often each phrase is in the hypothesis, [B, C, P].
        ended: whether a phrase ends with the last but one token, and with the last, [B, C, 2, P].
        written: how many tokens of a spelling the hypothesis ends with, [B, C, P, A].
        missing: how often each phrase must still come, [B, C, P].
        needed: how many tokens suffice to meet all demands, [B, C].
    """

    met: Tensor
    ended: Tensor
    written: Tensor
    missing: Tensor
    needed: Tensor


@dataclass(frozen=True)
class Demands:
    """The demands of the sentences of a search, as tensors.

    Attributes:
        tokens: the spellings of the phrases, padded with -1, [B, P, A, L].
        lengths: the length of each spelling; 0 if there is none, [B, P, A].
        times: how often each phrase must come; 0 if there is none, [B, P].
        exact: whether a phrase may not come more often, [B, P].
        prefix: the tokens to begin with, padded with -1, [B, X].
        begins_word: whether the text of each token continues a word before it, and False for tokens
            outside the vocabulary, [V + 1].
        closes_word: whether a word that follows each token begins with a space, in the same way,
            [V + 1].
        joins: whether each token joins digits into one number, in the same way, [V + 1].
        begins_digit: whether the text of each token begins with a digit, [V + 1].
    """

    tokens: Tensor
    lengths: Tensor
    times: Tensor
    exact: Tensor
    prefix: Tensor
    begins_word: Tensor
    closes_word: Tensor
    joins: Tensor
    begins_digit: Tensor

    @classmethod
    def of(
        cls, demands: Sequence[Demand], spelling: Spelling, device: torch.device | str = "cpu"
    ) -> "Demands":
        """Return the demands of some sentences as tensors."""
        phrases = [each.phrases for each in demands]
        spellings = [phrase.spellings for some in phrases for phrase in some]
        most = max([len(some) for some in phrases], default=0)
        ways = max([len(some) for some in spellings], default=0)
        longest = max([len(way) for some in spellings for way in some], default=0)
        tokens = torch.full((len(demands), most, ways, longest), NO_TOKEN)
        lengths = torch.zeros(len(demands), most, ways, dtype=torch.long)
        times = torch.zeros(len(demands), most, dtype=torch.long)
        exact = torch.zeros(len(demands), most, dtype=torch.bool)
        for row, some in enumerate(phrases):
            for column, phrase in enumerate(some):
                times[row, column], exact[row, column] = phrase.times, phrase.exact
                for way, ids in enumerate(phrase.spellings):
                    tokens[row, column, way, : len(ids)] = torch.tensor(ids)
                    lengths[row, column, way] = len(ids)
        prefixes = [torch.tensor(each.prefix, dtype=torch.long) for each in demands]
        prefix = torch.nn.utils.rnn.pad_sequence(prefixes, True, NO_TOKEN)
        edges = (
            *(spelling.begins_word, spelling.closes),
            *(spelling.joins, spelling.begins_digit),
        )
        tables = (torch.from_numpy(np.append(table, np.False_)) for table in edges)
        parts = (tokens, lengths, times, exact, prefix, *tables)
        return cls(*(part.to(device) for part in parts))

    def take(self, sentences: Tensor) -> "Demands":
        """Return the demands of the sentences at these indices, [B']."""
        return replace(
            self,
            tokens=self.tokens.index_select(0, sentences),
            lengths=self.lengths.index_select(0, sentences),
            times=self.times.index_select(0, sentences),
            exact=self.exact.index_select(0, sentences),
            prefix=self.prefix.index_select(0, sentences),
        )

    def _look_up(self, table: Tensor, tokens: Tensor) -> Tensor:
        """Return what a table of the vocabulary says of tokens; any shape."""
        return table[tokens.clamp(0, len(table) - 1)]

    @property
    def total(self) -> Tensor:
        """The number of tokens of all phrases, in their first spelling, [B]."""
        return (self.times * self.first_lengths).sum(1)

    def lengthen(self, longest: Tensor) -> Tensor:
        """Return the maximum lengths, raised where the demands need more room, [B].

        Args:
            longest: maximum length of each output, end token included, [B].
        """
        return longest.maximum((self.prefix >= 0).sum(1) + self.total + 1)

    @property
    def first_lengths(self) -> Tensor:
        """The length of the first spelling of each phrase, [B, P]."""
        if not self.lengths.shape[2]:
            return self.times
        return self.lengths[:, :, 0]

    def progress(self, tokens: Tensor) -> Progress:
        """Return how far hypotheses have met the demands.

        Args:
            tokens: the tokens of each hypothesis, [B, C, T].
        """
        written = self._written(tokens)
        ends = self._ends(tokens)
        met = ends.sum(2)
        ended = torch.nn.functional.pad(ends, (0, 0, 2, 0))[:, :, -2:]
        missing = (self.times[:, None] - met).clamp(min=0)
        first = self.first_lengths[:, None]  # [B, 1, P]
        saved = first[..., None] - (self.lengths[:, None] - written)  # [B, C, P, A]
        saved = saved.masked_fill((written == 0) | (missing == 0)[..., None], 0).clamp(min=0)
        saved = saved.flatten(2)
        best = saved.amax(2) if saved.shape[2] else saved.sum(2)
        return Progress(met, ended, written, missing, (missing * first).sum(2) - best)

    def _ends(self, tokens: Tensor) -> Tensor:
        """Return whether a phrase ends with each of the tokens, [B, C, T, P]."""
        count, beam, length = tokens.shape
        ways, longest = self.tokens.shape[2:]
        ends = torch.zeros(
            *(count, beam, length), self.tokens.shape[1], dtype=torch.bool, device=tokens.device
        )
        padded = torch.nn.functional.pad(tokens, (0, longest), value=NOT_WRITTEN)
        at = torch.arange(length, device=tokens.device)
        for way in range(ways):
            ids, size = self.tokens[:, :, way], self.lengths[:, :, way]  # [B, P, L], [B, P]
            here = (size > 0)[:, None, None].expand_as(ends)
            for offset in range(longest):
                same = padded[:, :, offset : offset + length, None] == ids[:, None, None, :, offset]
                here = here & (same | (size <= offset)[:, None, None])
            # [B, T, P]: where a spelling that ends here begins
            start = at[:, None] - size[:, None].clamp(min=1) + 1
            index = start.clamp(min=0)[:, None].expand_as(ends)
            ended = here.gather(2, index) & (start >= 0)[:, None]
            ends |= ended & self._apart(tokens, start, way)
        return ends

    def _apart(self, tokens: Tensor, start: Tensor, way: int) -> Tensor:
        """Return whether no word continues at the edges of spellings, [B, C, T, P].

        Args:
            tokens: the hypotheses, [B, C, T].
            start: the index of the first token of a spelling that ends at each token, [B, T, P].
            way: which spelling of each phrase.
        """
        shape = (*tokens.shape, start.shape[2])
        before = _shifted(self._look_up(self.closes_word, tokens), 1)[..., None].expand(shape)
        before = before.gather(2, start.clamp(min=0)[:, None].expand(shape))
        joined = _shifted(self._look_up(self.joins, tokens), -1)
        joined &= _shifted(self._look_up(self.begins_digit, tokens), -2)
        after = (_shifted(self._look_up(self.begins_word, tokens), -1) | joined)[..., None]
        first, last = self._edges(way)
        return ~(before & first[:, None, None]) & ~(after & last[:, None, None])

    def _edges(self, way: int) -> tuple[Tensor, Tensor]:
        """Return whether each spelling begins inside a word, and whether it closes one, [B, P]."""
        ids, size = self.tokens[:, :, way], self.lengths[:, :, way]
        last = ids.gather(2, (size - 1).clamp(min=0)[..., None])[..., 0]
        return self._look_up(self.begins_word, ids[..., 0]), self._look_up(self.closes_word, last)

    def _written(self, tokens: Tensor) -> Tensor:
        """Return how many tokens of each spelling the tokens end with, [B, C, P, A]."""
        count, beam, length = tokens.shape
        phrases, ways, longest = self.tokens.shape[1:]
        written = tokens.new_zeros(count, beam, phrases, ways)
        if not ways:
            return written
        glued = torch.stack([self._edges(way)[0] for way in range(ways)], 2)  # [B, P, A]
        for size in range(1, min(length, longest - 1) + 1):
            end = tokens[:, :, None, None, length - size :]  # [B, C, 1, 1, size]
            same = (end == self.tokens[:, None, ..., :size]).all(-1)
            fits = same & (self.lengths > size)[:, None]
            if length > size:
                inside = self._look_up(self.closes_word, tokens[:, :, length - size - 1])  # [B, C]
                fits &= ~(inside[..., None, None] & glued[:, None])
            written = torch.where(fits, size, written)
        return written

    def next_tokens(self, tokens: Tensor, progress: Progress) -> Tensor:
        """Return the distinct tokens that begin or continue a missing phrase, [B, C, Q].

        Rows that have fewer than others end with -1.

        Args:
            tokens: the hypotheses, [B, C, T].
            progress: how far they have met the demands.
        """
        count, beam, length = tokens.shape
        if not self.tokens.numel():
            return tokens.new_zeros(count, beam, 0)
        each = self.tokens[:, None].expand(-1, beam, -1, -1, -1)  # [B, C, P, A, L]
        following = each.gather(4, progress.written[..., None])[..., 0]
        beginning = each[..., 0]
        if length:
            ways = range(self.tokens.shape[2])
            glued = torch.stack([self._edges(way)[0] for way in ways], 2)[:, None]
            inside = self._look_up(self.closes_word, tokens[..., -1])[..., None, None]
            beginning = beginning.masked_fill(glued & inside, NO_TOKEN)
            following = following.masked_fill(glued & inside & (progress.written == 0), NO_TOKEN)
        both = torch.stack([following, beginning], -1)
        unwanted = (progress.missing == 0)[..., None, None]
        return _distinct(both.masked_fill(unwanted, NO_TOKEN).flatten(2))

    def surplus_tokens(self, progress: Progress) -> Tensor:
        """Return the tokens that would complete an exact phrase once too often, [B, C, P x A].

        -1 stands for none.
        """
        beam = progress.met.shape[1]
        each = self.tokens[:, None].expand(-1, beam, -1, -1, -1)
        if not each.numel():
            return progress.met.new_zeros(*progress.met.shape[:2], 0)
        following = each.gather(4, progress.written[..., None])[..., 0]
        completes = self.lengths[:, None] == progress.written + 1
        full = (self.exact & (self.times > 0))[:, None] & (progress.missing == 0)
        return following.masked_fill(~(completes & full[..., None]), NO_TOKEN).flatten(2)

    def undoing_tokens(self, tokens: Tensor, progress: Progress, vocab_size: int) -> Tensor:
        """Return which tokens would undo a phrase that is needed, [B, C, V].

        They continue the word or the number that it ends with.

        Args:
            tokens: the hypotheses, [B, C, T].
            progress: how far they have met the demands.
            vocab_size: the number of tokens, V.
        """
        vocabulary = torch.arange(vocab_size, device=tokens.device)
        if not tokens.shape[2]:
            return torch.zeros(*tokens.shape[:2], vocab_size, dtype=torch.bool).to(tokens.device)
        needed = progress.ended & (progress.met <= self.times[:, None])[:, :, None]
        before, now = needed.any(3).unbind(2)  # [B, C] each
        now = now & self._look_up(self.closes_word, tokens[..., -1])
        before = before & self._look_up(self.joins, tokens[..., -1])
        words, digits = (
            self._look_up(table, vocabulary) for table in (self.begins_word, self.begins_digit)
        )
        return (now[..., None] & words) | (before[..., None] & digits)


def _distinct(tokens: Tensor) -> Tensor:
    """Return the distinct tokens of each row, padded with -1, [B, C, Q'].

    Args:
        tokens: tokens; -1 is no token, [B, C, Q].
    """
    ordered = tokens.sort(dim=2, descending=True).values
    again = torch.zeros_like(ordered, dtype=torch.bool)
    again[..., 1:] = ordered[..., 1:] == ordered[..., :-1]
    ordered = ordered.masked_fill(again, NO_TOKEN).sort(dim=2, descending=True).values
    most = max(1, int((ordered > NO_TOKEN).sum(2).max()))
    return ordered[..., :most]


def _shifted(values: Tensor, by: int) -> Tensor:
    """Return values moved to later tokens, or to earlier ones; False where there are none.

    Args:
        values: what holds of each token, [B, C, T].
        by: how many tokens later.
    """
    length = values.shape[2]
    if by > 0:
        return torch.nn.functional.pad(values, (by, 0))[..., :length]
    return torch.nn.functional.pad(values, (0, -by))[..., -by : length - by]


def is_met(token_ids: Sequence[int], demand: Demand, spelling: Spelling) -> bool:
    """Return whether an output contains all phrases of a demand, exact ones as often as they say.

    Args:
        token_ids: the output.
        demand: what it must contain; its prefix is not checked.
        spelling: what each token writes.
    """
    if not demand.phrases:
        return True
    demands = Demands.of([demand], spelling)
    met = demands.progress(torch.tensor([[token_ids]])).met[0, 0]
    surplus = (met > demands.times[0]) & demands.exact[0]
    return bool((met >= demands.times[0]).all() and not surplus.any())
