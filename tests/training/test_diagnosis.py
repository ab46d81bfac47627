"""What the rules find in validations that are written down, and that a healthy run shows nothing.

`tests/system/test_diagnosis.py` provokes each finding by training.
"""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from s2scli.training.diagnosis import RULES, Look, diagnose, new_findings, read_looks
from tests.training.runs import training_settings

SETTINGS = training_settings()
HEALTHY_SIGNS = {
    "unigram_entropy": 5.0,
    "same": 0.02,
    "same_reference": 0.02,
    "copied": 0.1,
    "copied_reference": 0.1,
    "unknown": 0.0,
    "unknown_reference": 0.0,
    "repeated": 0.02,
    "repeated_reference": 0.01,
    "source_gain": 2.0,
    "attention_change": 0.5,
}
HEALTHY = [8.0, 4.5, 3.5, 3.0, 2.9]  # validation losses
TRAINING = [math.nan, 5.0, 3.6, 3.0, 2.7]


def looks_of(
    losses: list[float] = HEALTHY,
    training: list[float] = TRAINING,
    signs: Mapping[str, float] = HEALTHY_SIGNS,
) -> list[Look]:
    """Return looks every 200 updates; the changed signs are those of all but the first."""
    return [
        Look(
            200 * number,
            {"loss": loss, "perplexity": math.exp(loss)},
            {**HEALTHY_SIGNS, **(signs if number else {})},
            before,
        )
        for number, (loss, before) in enumerate(zip(losses, training, strict=True))
    ]


def names(looks: list[Look], **changes: object) -> set[str]:
    return set(diagnose(looks, training_settings(**changes)))


def test_a_healthy_run_shows_nothing() -> None:
    for length in range(6):
        assert diagnose(looks_of()[:length], SETTINGS) == {}


@pytest.mark.parametrize(
    ("rule", "signs"),
    [
        ("same output", {"same": 0.95}),
        ("source copied", {"copied": 0.9}),
        ("unknown words", {"unknown": 0.3}),
        ("repetitions", {"repeated": 0.5}),
        ("constant attention", {"attention_change": 0.001}),
        ("misaligned sides", {"source_gain": 0.001}),
    ],
)
def test_two_validations_in_a_row_show_a_fault(rule: str, signs: dict[str, float]) -> None:
    looks = looks_of(signs=signs)
    assert names(looks) == {rule}
    healed = [*looks_of()[:-1], looks[-1]]
    assert names(healed) == set(), "once is not enough"


@pytest.mark.parametrize("sign", ["same", "copied", "unknown", "repeated"])
def test_what_the_references_show_too_is_no_fault(sign: str) -> None:
    assert names(looks_of(signs={sign: 0.9, f"{sign}_reference": 0.85})) == set()


def test_a_young_model_is_given_time() -> None:
    bad = looks_of(signs={"same": 0.95, "repeated": 0.9, "attention_change": 0.0})
    assert names(bad[:4]) == set(), "only one validation, at step 600, after 500 updates"
    assert len(names(bad)) == 3


def test_a_loss_at_the_unigram_entropy_is_stuck() -> None:
    stuck = looks_of([8.0, 5.2, 5.05, 5.04, 5.04], [math.nan, 6.0, 5.3, 5.2, 5.2])
    assert names(stuck) == {"unigram loss"}
    passing = looks_of([8.0, 5.4, 4.8, 4.0, 3.0])
    assert not any(names(passing[:length]) for length in range(6)), "it only passes by"


def test_overfitting_is_a_loss_that_rises_while_that_of_training_falls() -> None:
    losses = [8.0, 4.0, 3.0, 3.2, 3.5]
    assert names(looks_of(losses, [math.nan, 4.0, 2.5, 1.5, 0.8])) == {"overfitting"}
    assert names(looks_of(losses[:4], [math.nan, 4.0, 2.5, 1.5])) == set(), "once is not enough"


def test_a_rate_is_too_high_if_both_losses_rise() -> None:
    rising = looks_of([8.0, 4.0, 3.0, 3.6, 4.5], [math.nan, 4.0, 2.5, 3.0, 4.0])
    assert names(rising) == {"learning rate too high"}
    worse = looks_of([6.0, 9.0, 8.5, 9.0, 9.1], [math.nan, 9.0, 8.5, 8.6, 8.7])
    assert names(worse) == {"learning rate too high"}


def test_a_rate_is_too_low_if_little_is_learned() -> None:
    slow = looks_of([8.0, 7.9, 7.8, 7.7, 7.6], [math.nan, 7.9, 7.8, 7.7, 7.6])
    assert names(slow) == {"learning rate too low"}
    warm_up = {"kind": "inverse_sqrt", "warmup_steps": 2000}
    assert names(slow, schedule=warm_up) == set(), "it still rises"


def test_the_advice_holds_figures_and_what_to_try() -> None:
    (advice,) = diagnose(looks_of(signs={"same": 0.95}), SETTINGS).values()
    assert advice.startswith("95% of the validation sources get the same output")
    (advice,) = diagnose(
        looks_of([8.0, 7.9, 7.8, 7.7, 7.6], [math.nan, 7.9, 7.8, 7.7, 7.6]), SETTINGS
    ).values()
    assert advice.endswith("start again (--restart) with --learning-rate 0.1")


def test_a_finding_is_new_once_and_again_after_it_has_gone() -> None:
    bad, good = looks_of(signs={"copied": 0.9}), looks_of()
    looks = [*good[:2], *bad[2:4], good[4], *bad[3:]]
    looks = [Look(500 * n, look.scores, look.signs, 1.0) for n, look in enumerate(looks)]
    new = [set(new_findings(looks[: length + 1], SETTINGS)) for length in range(len(looks))]
    assert [bool(each & {"source copied"}) for each in new] == [
        *(False, False, False, True),
        *(False, False, True),
    ]


def test_looks_are_read_from_the_log() -> None:
    records: list[dict[str, Any]] = [
        {"kind": "validation", "step": 0, "scores": {"loss": 8.0, "perplexity": None}},
        {"kind": "update", "step": 50, "loss": 4.0, "tokens": 100},
        {"kind": "update", "step": 75, "loss": math.nan, "tokens": 0},
        {"kind": "update", "step": 100, "loss": 2.0, "tokens": 300},
        {"kind": "validation", "step": 100, "scores": {"loss": None}, "signs": {"same": 1}},
    ]
    first, second = read_looks(records)
    assert (first.step, first.loss) == (0, 8.0) and math.isnan(first.training_loss)
    assert math.isnan(first.cross_entropy) and math.isnan(first.entropy)
    assert (second.training_loss, second.loss) == (2.5, math.inf)
    assert second.excess("same") == 1


def test_no_score_and_no_sign_is_needed() -> None:
    """Whatever a log holds, a diagnosis is no reason to stop."""
    for value in (math.nan, math.inf, -1.0, 0.0, 2**62):
        scores = dict.fromkeys(("loss", "perplexity"), value)
        looks = [Look(100 * n, scores, {"unigram_entropy": value}, value) for n in range(5)]
        assert diagnose(looks, SETTINGS).keys() <= RULES.keys()
    assert diagnose([Look(100 * n, {}) for n in range(5)], SETTINGS) == {}
