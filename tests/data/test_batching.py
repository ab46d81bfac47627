"""Laws of an epoch: every pair exactly once, within the budget, the same for the same seed."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from s2scli.data.batching import PLAN, Lengths, Rows, fits, number_of, plan_epoch

length = st.integers(0, 60)
corpora = st.lists(st.tuples(length, length), max_size=80)
budgets = st.integers(1, 300)
seeds = st.integers(0, 2**63)


def sides(corpus: list[tuple[int, int]]) -> tuple[Lengths, Lengths]:
    both = np.array(corpus, dtype=np.int32).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def plan(
    corpus: tuple[Lengths, Lengths], max_tokens: int, seed: int = 1, epoch: int = 0
) -> list[Rows]:
    return plan_epoch(*corpus, max_tokens=max_tokens, max_length=50, seed=seed, epoch=epoch)


def as_lists(batches: list[Rows]) -> list[list[int]]:
    return [rows.tolist() for rows in batches]


@given(corpora, budgets, seeds)
def test_every_row_that_fits_is_in_one_batch(
    corpus: list[tuple[int, int]], max_tokens: int, seed: int
) -> None:
    found = sorted(row for rows in plan(sides(corpus), max_tokens, seed) for row in rows.tolist())
    assert found == [row for row, pair in enumerate(corpus) if max(pair) <= 50]


@given(corpora, budgets)
def test_no_batch_of_several_rows_passes_the_budget(
    corpus: list[tuple[int, int]], max_tokens: int
) -> None:
    for rows in plan(sides(corpus), max_tokens):
        longest = max(max(corpus[row]) for row in rows.tolist()) + 1
        assert len(rows) == 1 or len(rows) * longest <= max_tokens


@given(corpora, budgets, seeds, st.integers(0, 9))
def test_the_plan_is_a_function_of_seed_and_epoch(
    corpus: list[tuple[int, int]], max_tokens: int, seed: int, epoch: int
) -> None:
    lengths = sides(corpus)
    batches = plan(lengths, max_tokens, seed, epoch)
    assert as_lists(plan(lengths, max_tokens, seed, epoch)) == as_lists(batches)


def realistic(rows: int) -> tuple[Lengths, Lengths]:
    """Lengths like those of sentences: skewed, the target's close to the source's."""
    random = np.random.default_rng(5)
    source = np.clip(random.lognormal(2.6, 0.5, rows), 1, 49)
    target = np.clip(source * random.normal(1.1, 0.15, rows), 1, 49)
    return source.astype(np.int32), target.astype(np.int32)


def padding(lengths: NDArray[np.int32], batches: list[Rows]) -> float:
    """The share of positions that hold no token, the end token counted."""
    padded = sum(len(rows) * (int(lengths[rows].max()) + 1) for rows in batches)
    return 1 - (int(lengths.sum()) + len(lengths)) / padded


def fill(corpus: tuple[Lengths, Lengths], batches: list[Rows], max_tokens: int) -> float:
    """The share of the budget that the longer sides take, padding counted."""
    longest = np.maximum(*corpus) + 1
    return float(np.mean([len(rows) * int(longest[rows].max()) for rows in batches]) / max_tokens)


@pytest.mark.parametrize(
    ("rows", "max_tokens", "least_fill", "most_padding"),
    [
        (20_000, 4096, 0.89, (0.03, 0.04)),
        (20_000, 2048, 0.93, (0.02, 0.025)),
        (300_000, 4096, 0.97, (0.005, 0.005)),
    ],
)
def test_batches_are_full_and_little_is_padded(
    rows: int, max_tokens: int, least_fill: float, most_padding: tuple[float, float]
) -> None:
    source, target = corpus = realistic(rows)
    batches = plan(corpus, max_tokens)
    assert fill(corpus, batches, max_tokens) > least_fill
    assert padding(source, batches) < most_padding[0]
    assert padding(target, batches) < most_padding[1]
    unsorted = np.array_split(np.arange(rows), len(batches))
    assert padding(source, unsorted) > 0.5
    assert padding(target, unsorted) > 0.5


def test_pairs_of_equal_lengths_are_not_padded_at_all() -> None:
    random = np.random.default_rng(7)
    source = random.integers(3, 5, 8000).astype(np.int32)
    batches = plan((source, source + 2), 70)  # 11 or 10 pairs in each, and what is left of them
    assert padding(source, batches) < 0.001
    assert sum(len(rows) < 10 for rows in batches) <= 2


def test_sides_that_have_nothing_to_do_with_each_other_are_both_heeded() -> None:
    random = np.random.default_rng(8)
    source, target = random.integers(1, 50, (2, 50_000)).astype(np.int32)
    batches = plan((source, target), 2048)
    assert padding(source, batches) < 0.04 and padding(target, batches) < 0.04
    assert fill((source, target), batches, 2048) > 0.9


def test_a_row_has_other_company_in_another_epoch() -> None:
    lengths = realistic(5000)
    companies = [
        {frozenset(rows.tolist()) for rows in plan(lengths, 1000, epoch=epoch)} for epoch in (0, 1)
    ]
    assert len(companies[0] & companies[1]) < 0.1 * len(companies[0])


def test_epochs_and_seeds_differ() -> None:
    lengths = realistic(500)
    orders = [as_lists(plan(lengths, 400, seed, epoch)) for seed in (1, 2) for epoch in (0, 1)]
    assert len({str(order) for order in orders}) == 4


def test_the_windows_of_an_epoch_have_other_random_numbers() -> None:
    lengths = realistic(500)
    first, again, second = (
        plan_epoch(*lengths, max_tokens=400, max_length=50, seed=1, epoch=0, window=window)
        for window in (0, 0, 1)
    )
    assert as_lists(first) == as_lists(again) != as_lists(second)


def test_each_batch_and_plan_has_its_own_number() -> None:
    numbers = [number_of(window, batch) for window in range(3) for batch in range(-1, 100)]
    assert len(set(numbers)) == len(numbers)
    assert [number_of(0), number_of(0, 0), number_of(0, 7)] == [0, 1, 8]


@pytest.mark.parametrize("seed", [1, 2**40 + 5, 2**63])
def test_the_only_window_has_the_random_numbers_of_earlier_versions(seed: int) -> None:
    """They drew from [seed, epoch]; numpy pads a seed with zeros."""
    now, before = (np.random.default_rng(seed) for seed in ([seed, 3, number_of(0)], [seed, 3]))
    assert now.integers(2**62) == before.integers(2**62)


def test_the_plan_is_that_of_its_version() -> None:
    """A resumed run relies on it. Where it must change, raise PLAN."""
    batches = plan(realistic(2000), 700, seed=3, epoch=2)
    digest = hashlib.sha256(json.dumps(as_lists(batches)).encode()).hexdigest()
    assert (PLAN, digest[:16]) == (2, "32cb6fbb541d977b")


@pytest.mark.parametrize(("pair", "kept"), [((50, 1), True), ((1, 50), True), ((51, 1), False)])
def test_fits_looks_at_the_longer_side(pair: tuple[int, int], kept: bool) -> None:
    assert fits(*sides([pair]), 50).tolist() == [kept]
