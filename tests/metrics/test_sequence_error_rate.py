import pytest

from s2scli.metrics.exact_match import exact_match
from s2scli.metrics.sequence_error_rate import sequence_error_rate

REFERENCES = [f"line {n}" for n in range(60)]
HYPOTHESES = [line if n % 3 else line[1:] for n, line in enumerate(REFERENCES)]


def test_it_is_what_exact_match_leaves() -> None:
    right, wrong = exact_match(HYPOTHESES, REFERENCES), sequence_error_rate(HYPOTHESES, REFERENCES)
    assert wrong.value == pytest.approx(100 - right.value)
    assert wrong.interval is not None and right.interval is not None
    assert wrong.interval == pytest.approx((100 - right.interval[1], 100 - right.interval[0]))
    assert wrong.signature == right.signature
