"""Counts in the text format of Prometheus."""

from s2scli.serve.counts import Counts, Histogram


def test_a_histogram_is_cumulative() -> None:
    found = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        found.add(value)
    assert list(found.lines("x")) == [
        'x_bucket{le="1.0"} 2',
        'x_bucket{le="2.0"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 12",
        "x_count 4",
    ]


def test_a_large_sum_still_counts_each_value() -> None:
    found = Histogram((1.0,))
    for value in (1234567.0, 0.125, 0.125):
        found.add(value)
    assert "x_sum 1234567.25" in found.lines("x")


def test_requests_and_batches_are_counted() -> None:
    counts = Counts()
    counts.request("/translate", 200, 0.1)
    counts.request("/translate", 200, 0.2)
    counts.request("", 404, 0.0)
    counts.batch(3)
    text = counts.text({"en-de": 5})
    assert 's2s_requests_total{route="/translate",status="200"} 2' in text
    assert 's2s_requests_total{route="",status="404"} 1' in text
    assert 's2s_waiting_lines{model="en-de"} 5' in text
    assert "s2s_batch_lines_sum 3\n" in text
    assert "s2s_request_seconds_count 3\n" in text
