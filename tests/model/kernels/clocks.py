"""A clock that goes on by itself, by what each way to multiply is said to take."""

from collections.abc import Mapping

import pytest
from torch import Tensor

from s2scli.model.kernels import products
from s2scli.model.kernels.products import Multiply, Way


class StandInClock:
    """Tells a time in which a product takes what it is told.

    Args:
        seconds: of one product, by the way it is made.
        slow_calls: the number of products at the beginning that take ten times as long.
    """

    def __init__(self, seconds: Mapping[Way, float], slow_calls: int = 0) -> None:
        self.now, self.calls, self.rows = 0.0, 0, set[int]()
        self._seconds, self._slow_calls = seconds, slow_calls

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    def replace_ways(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let products take their time on this clock."""
        ways = {way: self._way(seconds) for way, seconds in self._seconds.items()}
        monkeypatch.setattr(products, "WAYS", ways)

    def _way(self, seconds: float) -> Multiply:
        def multiply(values: Tensor, weight: Tensor) -> Tensor:
            self.now += seconds * (10 if self.calls < self._slow_calls else 1)
            self.calls += 1
            self.rows.add(len(values))
            return values

        return multiply
