"""Batches of sequences of similar length, shared out evenly among the workers."""

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

Result = TypeVar("Result")

WORTH = 4  # a batch of less than one in so many of the budget costs more than it saves


def similar_batches(lengths: Sequence[int], budget: int, workers: int = 1) -> list[list[int]]:
    """Return batches of indices of similar length, the longest first: they take longest.

    Where they are few, there are as many for each worker, and they take about as long.

    Args:
        lengths: of the sequences, without their end tokens.
        budget: tokens of a batch at most, padding and end tokens counted; a single longer
            sequence is a batch of its own.
        workers: that share them.
    """
    longest_first = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches = list(_fill(longest_first, lengths, budget, math.inf))
    total = sum(lengths) + len(lengths)
    even = -(-len(batches) // workers) * workers
    if workers == 1 or total * WORTH <= budget * even:
        return batches
    return list(_fill(longest_first, lengths, budget, total / even))


def in_order(batches: Sequence[Sequence[int]], results: Sequence[Sequence[Result]]) -> list[Result]:
    """Return the results of all batches in the order of the sequences."""
    found = {
        index: result
        for batch, of_batch in zip(batches, results, strict=True)
        for index, result in zip(batch, of_batch, strict=True)
    }
    return [found[index] for index in range(len(found))]


def _fill(
    indices: Sequence[int], lengths: Sequence[int], budget: int, enough: float
) -> Iterator[list[int]]:
    """Yield batches that end at `enough` tokens, or before they surpass the budget.

    Args:
        indices: the longest first.
        lengths: of the sequences.
        budget: with padding.
        enough: without padding.
    """
    batch: list[int] = []
    tokens = 0
    for index in indices:
        padded = (len(batch) + 1) * (lengths[batch[0] if batch else index] + 1)
        if batch and (tokens >= enough or padded > budget):
            yield batch
            batch, tokens = [], 0
        batch.append(index)
        tokens += lengths[index] + 1
    if batch:
        yield batch
