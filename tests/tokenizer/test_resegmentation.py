"""Cutting texts anew: against plain implementations, at its rates, alike in every process."""

import itertools
import math
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2scli.tokenizer.resegmentation import (
    LONGEST_REMEMBERED,
    BpeDropout,
    Cut,
    Pieces,
    Resegmenter,
    UnigramSampling,
)
from tests.tokenizer.samples import LINES, SUBWORDS, learn

# of score 0 are those that no merge makes; ab and bc, abc and cab are rivals, of equal score too
SPELLINGS = ["", "", "a", "b", "c", "ab", "bc", "abc", "cab", "ca", "aa", "abab", "▁", "▁a", "xa"]
SCORES = [0, 0, -2.5, -2.0, -3.0, -1.0, -1.5, -4.0, -4.0, -5.0, -1.0, -2.0, -1.0, -6.0, -0.5]
PIECES = Pieces(SPELLINGS, SCORES)
UNKNOWN = 1

texts = st.text("abc", min_size=1, max_size=12)


def spelled(text: str) -> tuple[int, ...]:
    return tuple(PIECES.ids[character] for character in text)


def plain_dropout(text: str, alpha: float, seed: int) -> list[int]:
    """Merge by looking through all neighbours, each time anew."""
    draw = random.Random(seed).random
    symbols = [(number, character) for number, character in enumerate(text)]
    left_out = set()
    while True:
        pairs = [
            (-PIECES.scores[left[1] + right[1]], index, left, right)
            for index, (left, right) in enumerate(itertools.pairwise(symbols))
            if left[1] + right[1] in PIECES.scores and (left, right) not in left_out
        ]
        if not pairs:
            return [PIECES.ids[spelling] for _, spelling in symbols]
        _, index, left, right = min(pairs)
        if draw() < alpha:
            left_out.add((left, right))
        else:
            symbols[index : index + 2] = [(left[0], left[1] + right[1])]


def all_ways(text: str) -> Iterator[tuple[str, ...]]:
    """Yield every way to cut a text into pieces."""
    if not text:
        yield ()
    for end in range(1, len(text) + 1):
        if text[:end] in PIECES.ids:
            yield from ((text[:end], *rest) for rest in all_ways(text[end:]))


def frequencies(cut: Cut, text: str, times: int) -> dict[tuple[str, ...], float]:
    draw, span = random.Random(7).random, spelled(text)
    ways = Counter(tuple(PIECES.spell((id,)) for id in cut(span, draw)) for _ in range(times))
    return {way: count / times for way, count in ways.items()}


@given(text=texts, alpha=st.sampled_from([0.0, 0.1, 0.5, 1.0]), seed=st.integers(0, 99))
@settings(max_examples=300, derandomize=True)
def test_dropout_equals_a_plain_implementation(text: str, alpha: float, seed: int) -> None:
    cut = BpeDropout(PIECES, alpha)
    for _ in range(2):  # what is remembered changes nothing
        assert cut(spelled(text), random.Random(seed).random) == plain_dropout(text, alpha, seed)


def test_a_long_span_is_cut_like_a_short_one() -> None:
    text = "abcabaab" * LONGEST_REMEMBERED
    assert BpeDropout(PIECES, 0.2)(spelled(text), random.Random(3).random) == plain_dropout(
        text, 0.2, 3
    )


def test_dropout_leaves_out_merges_at_its_rate() -> None:
    shares = frequencies(BpeDropout(PIECES, 0.2), "abc", 20_000)
    # ab; then abc, or once ab is left out, bc; then abc
    assert shares == {
        ("abc",): pytest.approx(0.8 * 0.8 + 0.2 * 0.8 * 0.8, abs=0.01),
        ("ab", "c"): pytest.approx(0.8 * 0.2, abs=0.01),
        ("a", "bc"): pytest.approx(0.2 * 0.8 * 0.2, abs=0.01),
        ("a", "b", "c"): pytest.approx(0.2 * 0.2, abs=0.01),
    }


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1.0, 3.0])
def test_ways_to_cut_are_drawn_by_their_probability(alpha: float) -> None:
    text = "abcabaa"
    powers = {
        way: math.exp(alpha * sum(PIECES.scores[piece] for piece in way)) for way in all_ways(text)
    }
    expected = {way: power / sum(powers.values()) for way, power in powers.items()}
    shares = frequencies(UnigramSampling(PIECES, alpha), text, 20_000)
    assert set(shares) <= set(expected)
    assert len(expected) == 24
    for way, probability in expected.items():
        error = math.sqrt(probability * (1 - probability) / 20_000)
        assert shares.get(way, 0.0) == pytest.approx(probability, abs=5 * error), way


@given(text=texts)
@settings(max_examples=100, derandomize=True)
def test_a_large_exponent_gives_the_best_way(text: str) -> None:
    best = max(sum(PIECES.scores[piece] for piece in way) for way in all_ways(text))
    ids = UnigramSampling(PIECES, 1e4)(spelled(text), random.Random(1).random)
    assert sum(SCORES[id] for id in ids) == pytest.approx(best)


def test_an_exponent_beyond_all_numbers_still_cuts() -> None:
    for alpha in (1e308, math.inf):
        ids = UnigramSampling(PIECES, alpha)(spelled("abc"), random.Random(1).random)
        assert PIECES.spell(tuple(ids)) == "abc"


def test_spans_end_where_no_piece_reaches() -> None:
    a, b, c, space = (PIECES.ids[spelling] for spelling in ("a", "b", "c", "▁"))
    assert list(PIECES.spans([])) == []
    assert list(PIECES.spans([space, a, b, space, c, b])) == [(space, a, b), (space,), (c,), (b,)]
    assert list(PIECES.spans([a, UNKNOWN, UNKNOWN, b])) == [(a,), (UNKNOWN,), (UNKNOWN,), (b,)]


@pytest.mark.parametrize("cut", [BpeDropout(PIECES, 1.0), UnigramSampling(PIECES, 0.0)])
def test_what_is_not_spelled_in_pieces_stays_where_it_is(cut: Cut) -> None:
    whole = SPELLINGS.index("xa")  # there is no piece x
    abc = PIECES.ids["abc"]
    (new,) = Resegmenter(PIECES, cut)([[abc, UNKNOWN, abc, whole, 0, 0, abc]], 1)
    parts = [list(group) for _, group in itertools.groupby(new, lambda id: id in (0, 1, whole))]
    assert parts[1::2] == [[UNKNOWN], [whole, 0, 0]]
    assert ["".join(SPELLINGS[id] for id in part) for part in parts[::2]] == ["abc"] * 3
    assert len(new) > 7


def resegmented(seed: int) -> list[list[list[int]]]:
    tokenizers = [learn(kind) for kind in SUBWORDS]
    return [each.resegmenter(0.3)(each.encode_many(LINES[:9]), seed) for each in tokenizers]


def test_every_process_cuts_alike() -> None:
    code = f"from {__name__} import resegmented; print(resegmented(5))"
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True
        )
        assert done.stdout.decode().strip() == str(resegmented(5)) != str(resegmented(6))


def test_ids_outside_the_vocabulary_stay() -> None:
    """A model that copies has them, for unknown pieces of a source and of its target."""
    resegment = Resegmenter(PIECES, BpeDropout(PIECES, 1.0))
    row = [len(SPELLINGS), PIECES.ids["ab"], -9, PIECES.ids["c"], len(SPELLINGS) + 3]
    a, b, c = spelled("abc")
    assert resegment([row], 1) == [[row[0], a, b, -9, c, row[4]]]
