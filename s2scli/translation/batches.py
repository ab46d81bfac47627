"""Batches of sequences of similar length, spread evenly over the workers."""

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

Result = TypeVar("Result")

WORTH = 4  # batches smaller than budget / WORTH tokens cost more time than they save


def similar_batches(lengths: Sequence[int], budget: int, workers: int = 1) -> list[list[int]]:
    """Group sequences of similar length into batches of indices, the longest sequences first.

    If there are few batches, they are split further, so that every worker gets the same number of
    batches of about the same size.

    Args:
        lengths: tokens of each sequence, without the end token.
        budget: the maximum number of tokens in a batch, including padding and end tokens; a longer
            sequence is a batch by itself.
        workers: the number of workers that share the batches.
    """
    longest_first = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches = list(_fill(longest_first, lengths, budget, math.inf))
    total = sum(lengths) + len(lengths)
    even = -(-len(batches) // workers) * workers
    if workers == 1 or total * WORTH <= budget * even:
        return batches
    return list(_fill(longest_first, lengths, budget, total / even))


def in_order(batches: Sequence[Sequence[int]], results: Sequence[Sequence[Result]]) -> list[Result]:
    """Return the results of all batches, in the order of the sequences."""
    found = {
        index: result
        for batch, of_batch in zip(batches, results, strict=True)
        for index, result in zip(batch, of_batch, strict=True)
    }
    return [found[index] for index in range(len(found))]


def _fill(
    indices: Sequence[int], lengths: Sequence[int], budget: int, enough: float
) -> Iterator[list[int]]:
    """Yield batches that end when they have `enough` tokens, or before they exceed the budget.

    Args:
        indices: indices of sequences, the longest first.
        lengths: tokens of each sequence.
        budget: the maximum number of tokens in a batch, including padding.
        enough: the number of tokens that ends a batch, without padding.
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
