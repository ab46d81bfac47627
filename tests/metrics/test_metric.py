"""Laws that hold for every metric of METRICS."""

import json
import math
import subprocess
import sys

import pytest

from s2scli.metrics import METRICS, digits_of
from s2scli.metrics.metric import Metric
from s2scli.metrics.settings import MetricSettings
from tests.metrics.forced import Forced

REFERENCES = [f"the cat number {n} sat on the old mat and slept" for n in range(60)]
NEAR = [line.replace("old", "new") if n % 3 else line for n, line in enumerate(REFERENCES)]
FAR = ["completely different words everywhere , nothing shared at all"] * 60

every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
of_outputs = [metric for metric in METRICS.values() if metric.needs == "outputs"]
every_metric_of_outputs = pytest.mark.parametrize("metric", of_outputs, ids=lambda m: m.name)


def forced(sure: float) -> list[Forced]:
    """Return 60 references whose last tokens have the probability `sure`, and some are wrong."""
    return [
        Forced([-0.1] * (n % 5) + [math.log(sure)], [True] * (n % 5) + [n % 10 < 10 * sure])
        for n in range(60)
    ]


def perfect(metric: Metric) -> tuple[object, ...]:
    """Return what to call a metric with for its best score."""
    return (
        (REFERENCES, REFERENCES) if metric.needs == "outputs" else ([Forced([0.0], [True])] * 60,)
    )


def near(metric: Metric) -> tuple[object, ...]:
    return (NEAR, REFERENCES) if metric.needs == "outputs" else (forced(0.5),)


def far(metric: Metric) -> tuple[object, ...]:
    return (FAR, REFERENCES) if metric.needs == "outputs" else (forced(0.01),)


@every_metric
def test_what_is_perfect_has_the_best_score(metric: Metric) -> None:
    worst = 1.0 if metric.name.endswith("perplexity") else 0.0
    best = 100.0 if metric.higher_is_better else worst
    assert metric.function(*perfect(metric)).value == pytest.approx(best)


@every_metric
def test_scores_are_named_and_shown_as_the_metric_says(metric: Metric) -> None:
    score = metric.function(*near(metric))
    assert score.name == metric.name
    assert digits_of(score) == metric.digits


@every_metric
def test_nearer_scores_better(metric: Metric) -> None:
    gap = metric.function(*near(metric)).value - metric.function(*far(metric)).value
    assert (gap > 0) == metric.higher_is_better and gap != 0


@every_metric
def test_the_interval_holds_the_value_and_is_the_same_every_time(metric: Metric) -> None:
    first, second = (metric.function(*near(metric)) for _ in range(2))
    assert first == second
    assert first.interval is not None
    low, high = first.interval
    assert low < first.value < high


@every_metric
def test_the_signature_names_the_bootstrap(metric: Metric) -> None:
    assert "bs:1000|seed:12345" in metric.function(*near(metric)).signature
    bare = metric.function(*near(metric), MetricSettings(resamples=0))
    assert bare.interval is None
    assert "bs:" not in bare.signature


@every_metric
def test_the_score_has_the_name_of_its_metric(metric: Metric) -> None:
    assert metric.function(*near(metric)).name.startswith(metric.name)  # sacreBLEU adds chrF's 2


@every_metric_of_outputs
@pytest.mark.parametrize("lines", [[""], ["a"], ["", "b"]])
def test_empty_outputs_and_references_are_scored(metric: Metric, lines: list[str]) -> None:
    for hypotheses, references in ((lines, ["x"] * len(lines)), (["x"] * len(lines), lines)):
        assert isinstance(metric.function(hypotheses, references).value, float)


@pytest.mark.parametrize("name", ["bleu", "ter"])
def test_text_without_spaces_is_scored_by_its_characters(name: str) -> None:
    references = ["我喜欢喝茶和咖啡", "今天天气很好"]
    hypotheses = ["我喜欢喝水和咖啡", "今天天气很好"]
    assert 0 < METRICS[name].function(hypotheses, references).value < 100


@every_metric
def test_its_help_is_one_sentence(metric: Metric) -> None:
    assert metric.help[0].isupper() or metric.help.startswith(metric.name)
    assert metric.help.endswith(".") and ". " not in metric.help


def test_importing_the_metrics_imports_nothing_heavy() -> None:
    heavy = ("torch", "sacrebleu", "numpy", "pyarrow")
    program = (
        "import json, sys; import s2scli.metrics; "
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, encoding="utf-8"
    )
    assert json.loads(found.stdout) == []
