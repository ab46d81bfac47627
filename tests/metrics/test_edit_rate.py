from collections.abc import Sequence

from s2scli.metrics.edit_rate import edit_rate
from s2scli.metrics.settings import MetricSettings

OUTPUTS = ["the cat sat on mat", "Hello, world", "", "one two three", "größe"]
REFERENCES = ["the cat sat on the mat", "hello world", "nothing", "one two", "Größe"]


def numbered(count: int) -> Sequence[str]:
    """Return texts with one to three words in common."""
    return [f"{index % 7} {'abc'[index % 3]}x {index}" for index in range(count)]


def test_the_interval_and_the_signature_name_the_bootstrap() -> None:
    settings = MetricSettings(resamples=200)
    score = edit_rate("rate", OUTPUTS, REFERENCES, str.split, "words", settings)
    assert score.interval is not None
    low, high = score.interval
    assert low < score.value < high
    assert score.signature == "words|bs:200|seed:12345"


def test_without_resamples_there_is_no_interval() -> None:
    settings = MetricSettings(resamples=0)
    score = edit_rate("rate", ["a b"], ["a c"], str.split, "words", settings)
    assert (round(score.value, 6), score.interval, score.signature) == (50, None, "words")
