"""Laws that hold for every metric of the dict."""

from collections.abc import Callable

import pytest

from s2scli.metrics import METRICS
from s2scli.metrics.score import Metric, Score
from s2scli.metrics.settings import MetricSettings

REFERENCES = [f"the cat number {n} sat on the old mat and slept" for n in range(60)]
NEAR = [line.replace("old", "new") if n % 3 else line for n, line in enumerate(REFERENCES)]
FAR = ["completely different words everywhere , nothing shared at all"] * 60
ERRORS = ("ter", "sequence_error_rate", "symbol_error_rate")
BEST = {name: 0.0 if name in ERRORS else 100.0 for name in METRICS}

every_metric = pytest.mark.parametrize(("name", "metric"), METRICS.items(), ids=list(METRICS))


@every_metric
def test_a_copy_of_the_references_is_perfect(name: str, metric: Metric) -> None:
    assert metric(REFERENCES, REFERENCES).value == pytest.approx(BEST[name])


@every_metric
def test_nearer_scores_better(name: str, metric: Metric) -> None:
    gap = metric(NEAR, REFERENCES).value - metric(FAR, REFERENCES).value
    assert (gap < 0) == (name in ERRORS) and gap != 0


@every_metric
def test_the_interval_holds_the_value_and_is_the_same_every_time(name: str, metric: Metric) -> None:
    first, second = metric(NEAR, REFERENCES), metric(NEAR, REFERENCES)
    assert first == second
    assert first.interval is not None
    low, high = first.interval
    assert low < first.value < high


@every_metric
def test_the_signature_tells_the_bootstrap(name: str, metric: Metric) -> None:
    assert "bs:1000|seed:12345" in metric(NEAR, REFERENCES).signature
    bare = metric(NEAR, REFERENCES, MetricSettings(resamples=0))
    assert bare.interval is None
    assert "bs:" not in bare.signature


@every_metric
@pytest.mark.parametrize("lines", [[""], ["a"], ["", "b"]])
def test_empty_outputs_and_references_are_scored(
    name: str, metric: Metric, lines: list[str]
) -> None:
    for hypotheses, references in ((lines, ["x"] * len(lines)), (["x"] * len(lines), lines)):
        assert isinstance(metric(hypotheses, references).value, float)


@pytest.mark.parametrize("metric", [METRICS["bleu"], METRICS["ter"]], ids=["bleu", "ter"])
def test_text_without_spaces_is_scored_by_its_characters(
    metric: Callable[..., Score],
) -> None:
    references = ["我喜欢喝茶和咖啡", "今天天气很好"]
    hypotheses = ["我喜欢喝水和咖啡", "今天天气很好"]
    value = metric(hypotheses, references).value
    assert 0 < value < 100
    if metric is METRICS["ter"]:
        assert value == pytest.approx(100 * 1 / 14)


def test_the_signature_names_the_tokenisation() -> None:
    bleu = METRICS["bleu"]
    assert "|tok:13a|" in bleu(NEAR, REFERENCES).signature
    assert "|tok:zh|" in bleu(["我"], ["我"]).signature
    assert "|tok:char|" in bleu(["茶をのむ"], ["茶をのむ"]).signature
    assert "|tok:intl|" in bleu(["我"], ["我"], MetricSettings(tokenize="intl")).signature


def test_one_edit_in_four_words_is_a_quarter() -> None:
    assert METRICS["ter"](["a b c x"], ["a b c d"]).value == pytest.approx(25.0)


def test_exact_match_counts_whole_lines_and_forgives_outer_spaces() -> None:
    score = METRICS["exact_match"](["a b", " c ", "D"], ["a b", "c", "d"])
    assert score.value == pytest.approx(200 / 3)
    assert "case:mixed|space:strip" in score.signature


def test_the_sequence_error_rate_is_what_exact_match_leaves() -> None:
    right, wrong = (METRICS[name](NEAR, REFERENCES) for name in ("exact_match", ERRORS[1]))
    assert wrong.value == pytest.approx(100 - right.value)
    assert wrong.interval is not None and right.interval is not None
    assert wrong.interval == pytest.approx((100 - right.interval[1], 100 - right.interval[0]))
    assert wrong.signature == right.signature


def test_symbol_errors_are_edits_over_the_references_symbols() -> None:
    rate = METRICS["symbol_error_rate"]
    score = rate(["A B  C", "K", "x"], ["A C", "K AH0 T S", "x"])
    assert score.value == pytest.approx(100 * (1 + 3 + 0) / (2 + 4 + 1))
    assert "symbols:spaced" in score.signature
    assert rate(["a b", "c"], ["", "c"]).value == pytest.approx(100 * 2 / 2)
    assert rate(["", ""], ["", ""]).value == 0.0


def test_training_can_go_by_every_metric_and_knows_which_way_is_better() -> None:
    from typing import get_args

    from s2scli.training.settings import LOWER_IS_BETTER
    from s2scli.training.settings import Metric as TrainingMetric

    assert METRICS.keys() <= {*get_args(TrainingMetric)}
    assert {name for name in METRICS if name in LOWER_IS_BETTER} == {*ERRORS}
