"""Counts and times of requests, in the text format of Prometheus; they hold no text."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LINES = (1, 2, 4, 8, 16, 32, 64, 128)


class Histogram:
    """How many values are at most each bound."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        place = next((i for i, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))
        self.counts[place] += 1
        self.sum += value

    def lines(self, name: str) -> Iterator[str]:
        """Yield the lines of the histogram."""
        total = 0
        for bound, count in zip([*self.bounds, "+Inf"], self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self.sum:.15g}"
        yield f"{name}_count {total}"


class Counts:
    """What a server counts. Several threads may count at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds = Histogram(SECONDS)
        self._batches = Histogram(LINES)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            route: the path of one of the server's own routes; empty for any other.
            status: the status of the answer.
            seconds: the time to the end of the answer.
        """
        with self._lock:
            self._requests[route, status] += 1
            self._seconds.add(seconds)

    def batch(self, lines: int) -> None:
        """Count a batch of lines that were translated together."""
        with self._lock:
            self._batches.add(lines)

    def text(self, waiting: Mapping[str, int]) -> str:
        """Return everything in the text format of Prometheus.

        Args:
            waiting: the number of lines that wait, by the name of a model.
        """
        with self._lock:
            lines = [
                "# HELP s2s_requests_total Requests, by route and status.",
                "# TYPE s2s_requests_total counter",
                *(
                    f's2s_requests_total{{route="{route}",status="{status}"}} {count}'
                    for (route, status), count in sorted(self._requests.items())
                ),
                "# HELP s2s_request_seconds Time from a request to the end of its answer.",
                "# TYPE s2s_request_seconds histogram",
                *self._seconds.lines("s2s_request_seconds"),
                "# HELP s2s_batch_lines Lines that were translated together.",
                "# TYPE s2s_batch_lines histogram",
                *self._batches.lines("s2s_batch_lines"),
                "# HELP s2s_waiting_lines Lines that wait, by model.",
                "# TYPE s2s_waiting_lines gauge",
                *(f's2s_waiting_lines{{model="{name}"}} {n}' for name, n in waiting.items()),
            ]
        return "\n".join(lines) + "\n"
