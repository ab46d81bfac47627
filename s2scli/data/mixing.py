"""How often the rows of each corpus are seen in an epoch, where several are mixed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2scli.data.batching import Rows

LEAST, MOST = 0.01, 1000.0


@dataclass(frozen=True)
class Mixture:
    """The corpora of a training split; without corpora, every row is seen once.

    Attributes:
        rows: the number of rows of each corpus; the rows of a corpus follow one another.
        times: how often each row of a corpus is seen in an epoch, on average.
    """

    rows: tuple[int, ...] = ()
    times: tuple[float, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether every row is seen once."""
        return all(times == 1 for times in self.times)

    def times_of(self, rows: Rows) -> NDArray[np.float64]:
        """Return how often each of these rows is seen in an epoch, on average, [rows]."""
        if self.is_plain:
            return np.ones(len(rows))
        corpora = np.searchsorted(np.cumsum(self.rows), rows, side="right")
        return np.asarray(self.times)[corpora]

    def draw(
        self, rows: Rows, usable: NDArray[np.bool_], random: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return how often each of these rows is seen this time, [rows].

        A row that is seen 2.3 times is seen twice, and with a probability of 0.3 once more. At
        least one usable row is seen.

        Args:
            rows: the rows.
            usable: which rows are short enough to train on, [rows]; at least one is.
            random: the random numbers of this epoch.
        """
        counts = np.floor(self.times_of(rows) + random.random(len(rows))).astype(np.int64)
        if not counts[usable].any():
            counts[random.choice(np.flatnonzero(usable))] = 1
        return counts


PLAIN = Mixture()


def times_by(
    rows: Sequence[int], weights: Sequence[float], temperature: float
) -> tuple[float, ...]:
    r"""Return how often each row of some corpora is seen in an epoch.

    Corpus i has n_i of all N rows. It makes up the share n_i^(1/T) / sum_j n_j^(1/T) of an epoch of
    N rows (Conneau & Lample 2019, section 3.1, with alpha = 1/T), so that each of its rows is seen
    so many times, times its weight. The result is between 0.01 and 1000.

    Args:
        rows: the number of rows of each corpus.
        weights: the weight of each corpus.
        temperature: T; with 1, the weights alone count.
    """
    sizes = np.asarray(rows, np.float64)
    powers = np.where(sizes > 0, sizes ** (1 / temperature), 0)
    shares = powers / powers.sum()
    times = shares * sizes.sum() / np.maximum(sizes, 1) if temperature != 1 else np.ones(len(sizes))
    bounded = np.clip(times * np.asarray(weights), LEAST, MOST)
    return tuple(round(float(one), 6) for one in bounded)
