"""Batches of sequences of similar length, shared out evenly among whoever works on them."""

import math
from collections.abc import Iterator, Sequence

WORTH = 4  # a batch of less than one in so many of the budget costs more than it saves


def similar_batches(lengths: Sequence[int], budget: int, workers: int = 1) -> list[list[int]]:
    """Return batches of places of similar length, the longest first: they take longest.

    Where they are few, there are as many for each worker, and they take about as long.

    Args:
        lengths: of the sequences, without their end tokens.
        budget: tokens of a batch at most, padding and ends counted; a sequence may have more.
        workers: that share them.
    """
    longest_first = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    batches = list(_fill(longest_first, lengths, budget, math.inf))
    total = sum(lengths) + len(lengths)
    even = -(-len(batches) // workers) * workers
    if workers == 1 or total * WORTH <= budget * even:
        return batches
    return list(_fill(longest_first, lengths, budget, total / even))


def _fill(
    places: Sequence[int], lengths: Sequence[int], budget: int, enough: float
) -> Iterator[list[int]]:
    """Yield batches that end where `enough` tokens are in them, or more would surpass the budget.

    Args:
        places: the longest first.
        lengths: of the sequences.
        budget: with padding.
        enough: without.
    """
    batch: list[int] = []
    tokens = 0
    for place in places:
        padded = (len(batch) + 1) * (lengths[batch[0] if batch else place] + 1)
        if batch and (tokens >= enough or padded > budget):
            yield batch
            batch, tokens = [], 0
        batch.append(place)
        tokens += lengths[place] + 1
    if batch:
        yield batch
