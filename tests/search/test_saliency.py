"""What caused a target token: exact laws on every model."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from s2scli.data.batch import Batch, make_batch
from s2scli.search.forced import force
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
from tests.models import (
    COPYING_MODELS,
    MODELS,
    VOCAB_SIZE,
    each_model,
    ids,
    make_model,
    pad_copying,
)

SOURCE, TARGET = (4, 5, 6, 3), (7, 8, 3)
ONE, OTHER = VOCAB_SIZE, VOCAB_SIZE + 1  # unknown pieces of a source
COPIED_SOURCE, COPIED_TARGET = (4, ONE, OTHER, ONE, 3), (-1 - ONE, 4, -1 - OTHER, 3)
each_copying_model = pytest.mark.parametrize(
    "tree", COPYING_MODELS.values(), ids=COPYING_MODELS.keys()
)


def pair(sources: Sequence[Sequence[int]], target: Sequence[int]) -> Batch:
    return make_batch([ids(*source) for source in sources], [ids(*target)] * len(sources))


def pair_copying(sources: Sequence[Sequence[int]], target: Sequence[int]) -> Batch:
    rows = [ids(*source) for source in sources]
    return make_batch(rows, [ids(*target)] * len(rows), pad_copying)


def question_of(tree: Tree, at: int | None = None, instead: int | None = None) -> Question:
    return Question(make_model(tree), pair, SOURCE, TARGET, at, instead)


def copying_question(tree: Tree, at: int | None = None, instead: int | None = None) -> Question:
    model = make_model(tree)
    return Question(model, pair_copying, COPIED_SOURCE, COPIED_TARGET, at, instead)


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
    other = method(Question(make_model(tree), pair, SOURCE, (7, 9, 3)))[1]
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


@each_copying_model
def test_integrated_gradients_of_copies_are_complete(tree: Tree) -> None:
    """What can be copied stays on the path, so the sums are those of the mixture's values."""
    question = copying_question(tree)
    with torch.no_grad():
        for weight in question.model.parameters():
            weight.mul_(0.5)  # as a model begins
        ends = torch.tensor([[1.0] * 5, [0.0] * 5])
        whole, nothing = question.values([COPIED_SOURCE] * 2, ends).double().numpy()
    found = integrated_gradients(question)
    gap = abs(found.sum(axis=1) - (whole - nothing)) / np.maximum(abs(whole - nothing), 1.0)
    assert np.isfinite(found).all() and gap.max() <= 0.02


@each_copying_model
def test_values_of_copies_are_the_scores_of_the_sentence_without_a_token(tree: Tree) -> None:
    """A copy whose only token is deleted becomes unknown; one with two keeps the other."""
    question = copying_question(tree)
    for gone, target in (([], COPIED_TARGET), ([1], COPIED_TARGET), ([2], (-1 - ONE, 4, 1, 3))):
        variant = question.without(gone)
        (scored,) = force(question.model, pair_copying([variant[:-1]], target[:-1]), 0.0)
        found = question.of_variants([variant, COPIED_SOURCE])[0]
        np.testing.assert_allclose(found, scored.token_scores, atol=1e-5)


@each_copying_model
def test_an_erased_token_is_neither_read_nor_copied(tree: Tree) -> None:
    question = copying_question(tree)
    found = erasure(question)
    for index in range(len(COPIED_SOURCE) - 1):
        batch = pair_copying([COPIED_SOURCE[:-1]], COPIED_TARGET[:-1])
        batch.source[0, index, 1] = 0  # a copy of it is padding
        if index == 1:  # the first of two: the other is now the first
            batch.source[0, 3, 1] = batch.target_output[0, 0] = VOCAB_SIZE + 3
        if index == 2:
            batch.target_output[0, 2] = 1
        scale = torch.ones(1, 5)
        scale[0, index] = 0
        read = pair_copying([COPIED_SOURCE[:-1]], COPIED_TARGET[:-1])
        read.source[0, :, 1] = batch.source[0, :, 1]
        with torch.no_grad():
            output = question.model(read, scale=scale)
            log_probs = question.model.logits(output.hidden).log_softmax(-1)[0]
        left = log_probs[range(4), batch.target_output[0]]
        whole = question.of_variants([COPIED_SOURCE])[0]
        np.testing.assert_allclose(found[:, index], whole - left.double().numpy(), atol=1e-4)


def test_a_contrast_may_be_with_a_copy() -> None:
    tree = COPYING_MODELS["pointer-after"]
    (both,) = erasure(copying_question(tree, at=1, instead=-1 - OTHER))
    this = erasure(copying_question(tree))[1]
    changed = replace(copying_question(tree), target=(-1 - ONE, -1 - OTHER, -1 - OTHER, 3))
    np.testing.assert_allclose(both, this - erasure(changed)[1], atol=1e-5)
