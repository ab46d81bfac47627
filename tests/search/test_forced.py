"""Forced decoding is what the steps of the search would say, whatever the model is made of."""

import pytest
import torch

from s2scli.data.batch import Batch, make_batch
from s2scli.search import forced
from s2scli.search.forced import force
from s2scli.search.model import Encoded, Model
from s2scli.settings import Tree
from tests.models import MODELS, ids, make_model

PAIRS = [
    (ids(4, 5, 6, 7), ids(5, 4)),
    (ids(8, 9), ids(9, 8, 10, 6)),
    (ids(10, 4, 4), ids()),
    (ids(5), ids(7, 7, 7)),
]


def batch_of(places: list[int]) -> Batch:
    return make_batch([PAIRS[place][0] for place in places], [PAIRS[place][1] for place in places])


def step_by_step(model: Model[Encoded], batch: Batch) -> list[list[float]]:
    """The plain loop: what each step says of the token that comes next, up to the end."""
    found: list[list[float]] = [[] for _ in batch.target_output]
    state = model.start(model.encode(batch.source, batch.source_lengths))
    for place in range(batch.target_input.shape[1]):
        step = model.step(batch.target_input[:, place], state)
        state = step.state
        for row, log_probs in enumerate(step.logits.double().softmax(-1).log()):
            if batch.target_mask[row, place]:
                found[row].append(float(log_probs[batch.target_output[row, place]]))
    return found


@pytest.mark.parametrize("tree", MODELS.values(), ids=MODELS.keys())
def test_scores_are_those_of_the_steps_in_any_batch(tree: Tree) -> None:
    model = make_model(tree).double()
    with torch.inference_mode():
        expected = step_by_step(model, batch_of([0, 1, 2, 3]))
    for places in ([0, 1, 2, 3], [3, 2, 1, 0], [0], [1], [2], [3]):
        for place, found in zip(places, force(model, batch_of(places), 1.0), strict=True):
            assert found.token_scores == pytest.approx(expected[place], abs=1e-5)
            mean = sum(expected[place]) / len(expected[place])
            assert found.score == pytest.approx(mean, abs=1e-5)


def test_how_many_logits_are_held_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = make_model(MODELS["gru-additive-after"]), batch_of([0, 1, 2, 3])
    whole = force(model, batch, 1.0, attention=False)
    for together in (1, 3):
        monkeypatch.setattr(forced, "TOGETHER", together)
        parts = force(model, batch, 1.0, attention=False)
        for mine, theirs in zip(parts, whole, strict=True):
            assert mine.token_scores == pytest.approx(theirs.token_scores, abs=1e-6)
            assert mine.first_choices == theirs.first_choices
