"""Plain implementations of formulas, for tests to compare with."""

import numpy as np
from numpy.typing import NDArray


def smoothed_cross_entropy(
    logits: NDArray[np.float64], target: list[int], smoothing: float
) -> float:
    """-sum_v q(v) log p(v) with q = (1 - e) [v = target] + e / V, summed over tokens."""
    total = 0.0
    for row, right in zip(logits, target, strict=True):
        p = np.exp(row) / np.exp(row).sum()
        for v in range(len(row)):
            q = (1 - smoothing) * (v == right) + smoothing / len(row)
            total -= q * np.log(p[v])
    return total
