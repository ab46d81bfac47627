"""How long an output may be; it imports no torch, as every engine uses it."""

import numpy as np

from s2scli.search.settings import SearchSettings

SPARE = 10  # tokens that are allowed beyond the ratio


def longest_output(source_tokens: int, settings: SearchSettings) -> int:
    """Return the tokens an output may have, the end token counted: ratio x source + 10.

    At least `min_length` are allowed, and at most `max_length`. The product is that of float32,
    rounded down.

    Args:
        source_tokens: of the source, the end token counted.
        settings: of the search.
    """
    product = np.float32(source_tokens) * np.float32(settings.max_length_ratio)
    longest = max(int(product) + SPARE, settings.min_length)
    return longest if settings.max_length is None else min(longest, settings.max_length)
