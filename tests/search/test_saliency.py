"""What caused a target token: exact laws on every model."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from s2scli.search.saliency import (
    METHODS,
    DeletionTest,
    Question,
    Values,
    deletion_test,
    erasure,
    incompleteness,
    input_x_gradient,
    integrated_gradients,
)
from s2scli.settings import Tree
from tests.models import MODELS, each_model, make_model

SOURCE, TARGET = (4, 5, 6, 3), (7, 8, 3)


def question_of(tree: Tree, at: int | None = None, instead: int | None = None) -> Question:
    return Question(make_model(tree), SOURCE, TARGET, at, instead)


def values_at(question: Question, *factors: float) -> Values:
    with torch.no_grad():
        found: Values = question.values([SOURCE], torch.tensor([factors])).double().numpy()[0]
    return found


@each_model
def test_gradients_are_those_of_small_differences(tree: Tree) -> None:
    question = question_of(tree)
    found = input_x_gradient(question)
    assert found.shape == (len(TARGET), len(SOURCE))
    step = 3e-3
    for token in range(len(SOURCE)):
        up, down = ([1.0] * len(SOURCE) for _ in range(2))
        up[token] += step
        down[token] -= step
        slope = (values_at(question, *up) - values_at(question, *down)) / (2 * step)
        np.testing.assert_allclose(found[:, token], slope, atol=5e-3 + 0.05 * abs(found).max())


@each_model
def test_integrated_gradients_are_complete(tree: Tree) -> None:
    """They add up to the value minus the value of embeddings of 0 (Sundararajan et al. 2017)."""
    question = question_of(tree)
    with torch.no_grad():
        for weight in question.model.parameters():
            weight.mul_(0.5)  # as a model begins
    difference = values_at(question, 1, 1, 1, 1) - values_at(question, 0, 0, 0, 0)
    found = integrated_gradients(question)
    gap = abs(found.sum(axis=1) - difference) / np.maximum(abs(difference), 1.0)
    assert incompleteness(question, found) == pytest.approx(gap.max(), abs=1e-5)
    # with rotary positions, a first layer norm sees no scale: the value jumps at 0
    assert gap.max() <= (0.5 if "rotary" in str(tree) else 0.02)


def test_points_are_added_until_the_sums_are_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    question, asked = question_of(MODELS["gru-additive-after"]), []

    def integral(question: Question, points: int) -> Values:
        asked.append(points)
        return np.zeros((3, 4))

    monkeypatch.setattr("s2scli.search.saliency._integral", integral)
    integrated_gradients(question, most=128)
    assert asked == [32, 64, 128]


def test_erasure_is_the_difference_of_two_values() -> None:
    question = question_of(MODELS["transformer-multi_head"])
    expected = values_at(question, 1, 1, 1, 1) - values_at(question, 1, 0, 1, 1)
    np.testing.assert_allclose(erasure(question)[:, 1], expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS.values())
def test_a_contrast_is_the_difference_of_two_explanations(
    method: Callable[[Question], Values],
) -> None:
    """All methods are linear in the value, so this - that = why this, not that."""
    tree = MODELS["gru-additive-after"]
    both = method(question_of(tree, at=1, instead=9))
    this = method(question_of(tree))[1]
    other = method(Question(make_model(tree), SOURCE, (7, 9, 3)))[1]
    np.testing.assert_allclose(both[0], this - other, atol=1e-4)


def test_variants_of_any_length_have_the_values_of_each_alone() -> None:
    question = question_of(MODELS["transformer-multi_head"])
    variants = [question.without(gone) for gone in ([], [0], [0, 2], [1], [0, 1, 2])]
    together = question.of_variants(variants * 30)[: len(variants)]
    alone = [question.of_variants([variant])[0] for variant in variants]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_deletion_test_believes_what_deletion_says() -> None:
    """The effect of the deletion itself correlates fully, its reverse not at all."""
    question = question_of(MODELS["transformer-multi_head"])
    whole = question.of_variants([SOURCE])[0]
    fallen = np.stack([whole - question.of_variants([question.without([n])])[0] for n in range(3)])
    truth = np.concatenate([fallen.T, np.zeros((len(TARGET), 1))], axis=1)
    told: list[int] = []
    found = deletion_test(question, truth, told.append)
    assert found.correlation == pytest.approx(1.0)
    assert found.most_first >= found.least_first
    assert sum(told) == len(TARGET)
    lie = deletion_test(question, -truth)
    assert lie.correlation == pytest.approx(-1.0)
    assert lie == DeletionTest(lie.correlation, found.least_first, found.most_first)


def test_the_areas_are_those_of_a_plain_loop() -> None:
    question, saliency = (
        question_of(MODELS["gru-additive-after"], at=0),
        np.array([[2.0, 3.0, 1.0, 9]]),
    )
    whole = question.of_variants([SOURCE])[0, 0]
    left = [question.of_variants([source])[0, 0] for source in ((4, 6, 3), (6, 3), (3,))]
    found = deletion_test(question, saliency)
    assert found.most_first == pytest.approx(np.mean([whole - value for value in left]), abs=1e-6)


def test_a_saliency_that_never_varies_has_no_correlation() -> None:
    question = question_of(MODELS["gru-additive-after"])
    assert np.isnan(deletion_test(question, np.ones((3, 4))).correlation)
