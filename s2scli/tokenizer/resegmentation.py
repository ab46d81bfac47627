"""Random segmentation of texts into pieces, determined by their ids, a seed and the model.

SentencePiece can sample too, but its samples for a seed change from process to process.
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
Cut: TypeAlias = Callable[[Span, Draw], Sequence[int]]  # other ids of the same text
Candidate: TypeAlias = tuple[float, int, str]  # cost, index of its left half, the merged piece
Found = TypeVar("Found")

REMEMBERED_SPANS = 1 << 15
LONGEST_REMEMBERED = 8


class Pieces:
    """The pieces of a model.

    Attributes:
        spellings: of each id; empty for those that are never segmented again.
        ids: of each spelling.
        scores: of each spelling: for bpe the higher the earlier it is merged, for unigram its
            log-probability.
    """

    def __init__(self, spellings: Sequence[str], scores: Sequence[float]) -> None:
        """Store each id's spelling and score; a piece with a character that is no piece is fixed.

        Args:
            spellings: of each id; empty for those without text of their own, as special ids and
                bytes.
            scores: of each id.
        """
        characters = {spelling for spelling in spellings if len(spelling) == 1}
        self.spellings = [s if characters.issuperset(s) else "" for s in spellings]
        self.ids = {spelling: id for id, spelling in enumerate(self.spellings) if spelling}
        self.scores = {spelling: scores[id] for spelling, id in self.ids.items()}
        self._joined = {left + right for piece in self.ids for left, right in pairwise(piece)}

    def spell(self, span: Span) -> str:
        """Return the text of a span."""
        return "".join([self.spellings[id] for id in span])

    def spans(self, row: Iterable[int]) -> Iterator[Span]:
        """Split the ids of a text between characters that are adjacent in no piece.

        No piece crosses the border of two spans, so each span can be segmented by itself. An id
        that is never segmented again is a span of its own.
        """
        span: list[int] = []
        end = ""
        for id in row:
            spelling = self.spellings[id]
            if span and end + spelling[:1] not in self._joined:
                yield tuple(span)
                span = []
            span.append(id)
            end = spelling[-1:]
        if span:
            yield tuple(span)


class Resegmenter:
    """Segments the texts of token ids again, at random."""

    def __init__(self, pieces: Pieces, cut: Cut) -> None:
        self._pieces, self._cut = pieces, cut

    def __call__(self, rows: Iterable[Iterable[int]], seed: int) -> list[list[int]]:
        """Return other ids of the same texts, determined by the rows, their order and the seed."""
        draw = random.Random(seed).random  # whose numbers Python promises never to change
        return [self._row(row, draw) for row in rows]

    def _row(self, row: Iterable[int], draw: Draw) -> list[int]:
        new: list[int] = []
        for span in self._pieces.spans(row):
            new += self._cut(span, draw) if self._pieces.spellings[span[0]] else span
        return new


def _remembering(analyse: Callable[[Span], Found]) -> Callable[[Span], Found]:
    """Return `analyse` with a cache of its results for short spans."""
    remembered = functools.lru_cache(REMEMBERED_SPANS)(analyse)
    return lambda span: (remembered if len(span) <= LONGEST_REMEMBERED else analyse)(span)


@dataclass(frozen=True)
class _Merging:
    """The start of the merging of a span, and its result if no merge is left out."""

    characters: list[str]
    candidates: list[Candidate]
    merged: list[int]
    merges: int


class BpeDropout:
    """BPE-dropout: neighbours are merged as in BPE, but each merge may be left out.

    The two neighbours that form the piece with the highest score are merged first; of several,
    the leftmost. A merge that is left out is never tried again, as in SentencePiece; Provilkov
    et al. 2020, section 3, try it again after the next merge.

    Args:
        pieces: the pieces to segment into.
        alpha: the probability that a merge is left out.
    """

    def __init__(self, pieces: Pieces, alpha: float) -> None:
        self._pieces, self._alpha = pieces, alpha
        self._costs = {piece: -score for piece, score in pieces.scores.items()}
        self._begin = _remembering(self._analyse)

    def __call__(self, span: Span, draw: Draw) -> Sequence[int]:
        """Return the ids of a span; each possible merge takes one number from `draw`."""
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
        """Merge characters, except for the candidates whose turn is left out."""
        costs, queue = self._costs, list(candidates)
        symbols = list(characters)  # empty where merged into another on the left
        size, turn = len(symbols), 0
        before, after = list(range(-1, size - 1)), list(range(1, size + 1))
        while queue:
            _, left, piece = heapq.heappop(queue)
            right = after[left]
            if right == size or not symbols[left] or symbols[left] + symbols[right] != piece:
                continue  # one of the two has been merged with another
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
    """The pieces that may end at one position of a text, and how probable they are.

    Attributes:
        ids: of the pieces.
        starts: where they begin.
        weights: running sums of their probabilities, up to a constant factor.
    """

    ids: list[int]
    starts: list[int]
    weights: list[float]


class UnigramSampling:
    """Subword sampling: a segmentation x of a text is drawn in proportion to P(x)^alpha.

    Kudo 2018, section 3.3, with l = infinity: forward filtering, backward sampling.

    Args:
        pieces: the pieces to segment into.
        alpha: the exponent.
    """

    def __init__(self, pieces: Pieces, alpha: float) -> None:
        self._pieces, self._alpha = pieces, alpha
        self._beginnings = {s[:end] for s in pieces.ids for end in range(1, len(s) + 1)}
        self._filter = _remembering(self._filtered)

    def __call__(self, span: Span, draw: Draw) -> Sequence[int]:
        """Return the ids of a span; each of them takes one number from `draw`."""
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
        sums = [0.0]  # logarithms of the sum of P^alpha over all ways to cut the text so far
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
