"""Batches of similar length: within a budget, and as many for each worker."""

import numpy as np
import pytest

from s2scli.translation.batches import similar_batches

RANDOM = np.random.default_rng(0)
LENGTHS = {
    "even": RANDOM.integers(5, 25, 1000).tolist(),
    "wide": RANDOM.lognormal(2.5, 1, 1000).astype(int).tolist(),
    "equal": [9] * 1000,
}


def test_they_hold_so_many_tokens_and_the_longest_come_first() -> None:
    lengths = [3, 200, 500, 7, 2000, 300, 3]
    found = similar_batches(lengths, 1024)
    assert [[lengths[place] for place in batch] for batch in found] == [
        [2000],
        [500, 300],
        [200, 7, 3, 3],
    ]


def test_equals_stay_in_order() -> None:
    assert similar_batches([4, 4, 4, 4, 4], 10) == [[0, 1], [2, 3], [4]]


def test_nothing_makes_no_batch() -> None:
    assert similar_batches([], 100, 4) == []


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("budget", [300, 1536, 6144])
@pytest.mark.parametrize("kind", LENGTHS)
def test_every_place_is_in_one_batch_within_the_budget(
    kind: str, budget: int, workers: int
) -> None:
    lengths = LENGTHS[kind]
    found = similar_batches(lengths, budget, workers)
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    assert [lengths[place] for batch in found for place in batch] == sorted(lengths)[::-1]
    for batch in found:
        assert len(batch) == 1 or len(batch) * (lengths[batch[0]] + 1) <= budget


@pytest.mark.parametrize("workers", [2, 3, 4])
@pytest.mark.parametrize("budget", [1536, 6144])
def test_each_worker_has_as_much_to_do(budget: int, workers: int) -> None:
    lengths = LENGTHS["even"]
    found = similar_batches(lengths, budget, workers)
    tokens = [sum(lengths[place] + 1 for place in batch) for batch in found]
    assert len(found) % workers == 0
    assert max(tokens) - min(tokens) < 0.1 * max(tokens)


def test_a_few_sequences_are_not_shared_out() -> None:
    assert len(similar_batches([9] * 40, 1000, 2)) == 1
    assert len(similar_batches([9] * 60, 1000, 2)) == 2
