"""The decays of scheduled sampling against the formulas of the paper."""

import math
from itertools import pairwise

import pytest

from s2scli.settings import Tree
from s2scli.training.scheduled_sampling import ScheduledSamplingSettings
from tests.training.runs import training_settings

DECAYS: dict[str, Tree] = {
    "linear": {"kind": "linear", "start": 0.9, "slope": 0.01, "floor": 0.25},
    "exponential": {"kind": "exponential", "base": 0.97},
    "inverse_sigmoid": {"kind": "inverse_sigmoid", "k": 20.0},
}


def decay(tree: Tree) -> ScheduledSamplingSettings:
    return training_settings(scheduled_sampling=tree).scheduled_sampling


def test_the_decoder_reads_the_truth_unless_asked_otherwise() -> None:
    assert [decay({"kind": "none"}).truth_share(step) for step in (1, 10**9)] == [1.0, 1.0]
    assert training_settings().scheduled_sampling.kind == "none"


@pytest.mark.parametrize("step", [1, 2, 50, 65, 66, 500])
def test_each_decay_is_its_formula(step: int) -> None:
    expected = {
        "linear": max(0.25, 0.9 - 0.01 * step),
        "exponential": 0.97**step,
        "inverse_sigmoid": 20 / (20 + math.exp(step / 20)),
    }
    for name, share in expected.items():
        assert decay(DECAYS[name]).truth_share(step) == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize("tree", DECAYS.values(), ids=DECAYS.keys())
def test_it_falls_for_ever_and_stays_a_share(tree: Tree) -> None:
    shares = [decay(tree).truth_share(step) for step in (1, 2, 10, 100, 10_000, 10**9)]
    assert all(0 <= later <= earlier <= 1 for earlier, later in pairwise(shares))


def test_the_inverse_sigmoid_is_half_where_its_help_says() -> None:
    assert decay(DECAYS["inverse_sigmoid"]).truth_share(round(20 * math.log(20))) == pytest.approx(
        0.5, abs=0.01
    )
