"""Random segmentation of texts into pieces, reproducible from their ids, a seed and the model.

SentencePiece can sample too, but its samples differ between processes even with the same seed.
"""

import functools
import heapq
import math
import random
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeAlias, TypeVar

from s2scli.tokenizer.settings import Kind

Span: TypeAlias = tuple[int, ...]
Draw: TypeAlias = Callable[[], float]  # uniform between 0 and 1
Cut: TypeAlias = Callable[[Span, Draw], Sequence[int]]  # returns other ids of the same text
Candidate: TypeAlias = tuple[float, int, str]  # cost, index of its left half, the merged piece
Found = TypeVar("Found")

REMEMBERED_SPANS = 1 << 15
LONGEST_REMEMBERED = 8


class Pieces:
    """The pieces of a model.

    Attributes:
        spellings: the text of each id; empty for ids that are never resegmented.
        ids: the id of each spelling.
        scores: the score of each spelling: for bpe, pieces with higher scores are merged first;
            for unigram, it is the log-probability.
    """

    def __init__(self, spellings: Sequence[str], scores: Sequence[float]) -> None:
        """Store the spelling and score of each id.

        A piece is never resegmented if one of its characters is not itself a piece.

        Args:
            spellings: the text of each id; empty for special ids and bytes.
            scores: the score of each id.
        """
        characters = {spelling for spelling in spellings if len(spelling) == 1}
        self.spellings = [s if characters.issuperset(s) else "" for s in spellings]
        self.ids = {spelling: id for id, spelling in enumerate(self.spellings) if spelling}
        self.scores = {spelling: scores[id] for spelling, id in self.ids.items()}
        self._joined = {left + right for piece in self.ids for left, right in pairwise(piece)}

    def spelling(self, id: int) -> str:
        """Return the text of an id; empty if it is never resegmented."""
        return self.spellings[id] if 0 <= id < len(self.spellings) else ""

    def spell(self, span: Span) -> str:
        """Return the text of a span."""
        return "".join([self.spellings[id] for id in span])

    def spans(self, row: Iterable[int]) -> Iterator[Span]:
        """Split the ids of a text between two characters that are not adjacent in any piece.

        No piece crosses the border of two spans, so each span can be segmented by itself. An id
        that is never resegmented is a span of its own, as is one outside the vocabulary.
        """
        spellings, size = self.spellings, len(self.spellings)
        span: list[int] = []
        end = ""
        for id in row:
            spelling = spellings[id] if 0 <= id < size else ""
            if span and end + spelling[:1] not in self._joined:
                yield tuple(span)
                span = []
            span.append(id)
            end = spelling[-1:]
        if span:
            yield tuple(span)


class Resegmenter:
    """Resegments texts, given as token ids, at random.

    Args:
        pieces: the pieces of the vocabulary.
        cut: resegments a part of a text.
        reverse: whether the last token of a text comes first.
    """

    def __init__(self, pieces: Pieces, cut: Cut, *, reverse: bool = False) -> None:
        self._pieces, self._cut, self._reverse = pieces, cut, reverse

    def __call__(self, rows: Iterable[Iterable[int]], seed: int) -> list[list[int]]:
        """Return other ids of the same texts; the same rows and seed give the same result."""
        draw = random.Random(seed).random  # Python guarantees its sequence
        if self._reverse:
            return [self._row([*row][::-1], draw)[::-1] for row in rows]
        return [self._row(row, draw) for row in rows]

    def _row(self, row: Iterable[int], draw: Draw) -> list[int]:
        new: list[int] = []
        for span in self._pieces.spans(row):
            new += self._cut(span, draw) if self._pieces.spelling(span[0]) else span
        return new


def _remembering(analyse: Callable[[Span], Found]) -> Callable[[Span], Found]:
    """Return `analyse` with a cache of its results for short spans."""
    remembered = functools.lru_cache(REMEMBERED_SPANS)(analyse)
    return lambda span: (remembered if len(span) <= LONGEST_REMEMBERED else analyse)(span)


@dataclass(frozen=True)
class _Merging:
    """The initial state of merging a span, and the result if no merge is skipped."""

    characters: list[str]
    candidates: list[Candidate]
    merged: list[int]
    merges: int


class BpeDropout:
    """BPE-dropout: merge neighbours as in BPE, but skip each merge with some probability.

    The two neighbours that form the piece with the highest score are merged first; on ties, the
    leftmost. A skipped merge is never tried again, as in SentencePiece. Provilkov et al. 2020,
    section 3, try it again after the next merge.

    Args:
        pieces: the pieces to segment into.
        alpha: the probability of skipping a merge.
    """

    def __init__(self, pieces: Pieces, alpha: float) -> None:
        self._pieces, self._alpha = pieces, alpha
        self._costs = {piece: -score for piece, score in pieces.scores.items()}
        self._begin = _remembering(self._analyse)

    def __call__(self, span: Span, draw: Draw) -> Sequence[int]:
        """Return new ids of a span; each possible merge takes one number from `draw`."""
        begin, alpha = self._begin(span), self._alpha
        first = next((turn for turn in range(begin.merges) if draw() < alpha), None)
        if first is None:
            return begin.merged

        def left_out(turn: int) -> bool:
            return turn == first or (turn > first and draw() < alpha)

        return self._merge(begin.characters, begin.candidates, left_out)

    def _analyse(self, span: Span) -> _Merging:
        characters = list(self._pieces.spell(span))
        pairs = enumerate(left + right for left, right in pairwise(characters))
        candidates = [(self._costs[pair], i, pair) for i, pair in pairs if pair in self._costs]
        heapq.heapify(candidates)
        merged = self._merge(characters, candidates, lambda turn: False)
        return _Merging(characters, candidates, merged, len(characters) - len(merged))

    def _merge(
        self,
        characters: Sequence[str],
        candidates: Sequence[Candidate],
        left_out: Callable[[int], bool],
    ) -> list[int]:
        """Merge characters into pieces; skip the merges for which `left_out(turn)` is true."""
        costs, queue = self._costs, list(candidates)
        symbols = list(characters)  # empty after merging into the left neighbour
        size, turn = len(symbols), 0
        before, after = list(range(-1, size - 1)), list(range(1, size + 1))
        while queue:
            _, left, piece = heapq.heappop(queue)
            right = after[left]
            if right == size or not symbols[left] or symbols[left] + symbols[right] != piece:
                continue  # one of the two is already merged
            turn += 1
            if left_out(turn - 1):
                continue
            symbols[left], symbols[right] = piece, ""
            after[left] = following = after[right]
            if following < size:
                before[following] = left
                if (longer := piece + symbols[following]) in costs:
                    heapq.heappush(queue, (costs[longer], left, longer))
            previous = before[left]
            if previous >= 0 and (longer := symbols[previous] + piece) in costs:
                heapq.heappush(queue, (costs[longer], previous, longer))
        return [self._pieces.ids[symbol] for symbol in symbols if symbol]


@dataclass(frozen=True)
class _Endings:
    """The pieces that may end at one position of a text, and their probabilities.

    Attributes:
        ids: the ids of the pieces.
        starts: the position where each piece starts.
        weights: cumulative sums of their probabilities, up to a constant factor.
    """

    ids: list[int]
    starts: list[int]
    weights: list[float]


class UnigramSampling:
    """Subword sampling: draw a segmentation x of a text in proportion to P(x)^alpha.

    This is forward filtering and backward sampling (Kudo 2018, section 3.3, with l = infinity).

    Args:
        pieces: the pieces to segment into.
        alpha: the exponent of the probability.
    """

    def __init__(self, pieces: Pieces, alpha: float) -> None:
        self._pieces, self._alpha = pieces, alpha
        self._beginnings = {s[:end] for s in pieces.ids for end in range(1, len(s) + 1)}
        self._filter = _remembering(self._filtered)

    def __call__(self, span: Span, draw: Draw) -> Sequence[int]:
        """Return new ids of a span; each id takes one number from `draw`."""
        endings = self._filter(span)
        end = len(endings)
        ids: list[int] = []
        while end:
            last = endings[end - 1]
            chosen = bisect(last.weights, draw() * last.weights[-1], hi=len(last.ids) - 1)
            ids.append(last.ids[chosen])
            end = last.starts[chosen]
        return ids[::-1]

    def _filtered(self, span: Span) -> list[_Endings]:
        """Return the pieces that may end after each character, with their forward probabilities."""
        text = self._pieces.spell(span)
        sums = [0.0]  # log of the sum of P^alpha over all segmentations of the text so far
        filtered = []
        for starts, pieces in self._ending(text):
            logs = [
                sums[start] + self._alpha * self._pieces.scores[piece]
                for start, piece in zip(starts, pieces, strict=True)
            ]
            largest = max(logs)
            weights = list(accumulate(math.exp(log - largest) for log in logs))
            sums.append(largest + math.log(weights[-1]))
            filtered.append(_Endings([self._pieces.ids[p] for p in pieces], starts, weights))
        return filtered

    def _ending(self, text: str) -> list[tuple[list[int], list[str]]]:
        """Return the starts and spellings of the pieces that may end after each character."""
        found: list[tuple[list[int], list[str]]] = [([], []) for _ in text]
        for start in range(len(text)):
            for end in range(start, len(text)):
                piece = text[start : end + 1]
                if piece not in self._beginnings:
                    break
                if piece in self._pieces.ids:
                    found[end][0].append(start)
                    found[end][1].append(piece)
        return found


def _unchanged(pieces: Pieces, alpha: float) -> Cut:
    return lambda span, draw: span


CUTS: dict[Kind, Callable[[Pieces, float], Cut]] = {
    "bpe": BpeDropout,
    "unigram": UnigramSampling,
    "char": _unchanged,
    "word": _unchanged,
}
