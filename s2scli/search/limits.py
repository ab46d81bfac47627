"""The maximum length of an output. Imports no torch, because every engine uses it."""

import numpy as np

from s2scli.search.settings import SearchSettings

SPARE = 10  # tokens allowed in addition to the ratio


def longest_output(source_tokens: int, settings: SearchSettings) -> int:
    """Return the maximum number of output tokens, end token included: ratio x source + 10.

    The result is at least `min_length` and at most `max_length`. The product is computed in float32
    and rounded down.

    Args:
        source_tokens: number of source tokens, end token included.
        settings: the search settings.
    """
    product = np.float32(source_tokens) * np.float32(settings.max_length_ratio)
    longest = max(int(product) + SPARE, settings.min_length)
    return longest if settings.max_length is None else min(longest, settings.max_length)
