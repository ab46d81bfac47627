"""The CTC loss against a sum over every alignment, one by one."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from s2scli.data.batch import make_batch
from s2scli.model.states import length_mask
from s2scli.special_ids import PAD_ID
from s2scli.training.ctc import ctc_loss
from s2scli.training.objective import TERMS, batch_objective, read
from tests.models import ids, make_model, model_tree, small_batch
from tests.training.runs import training_settings

VOCAB = 7
TARGETS = {
    "one": [4],
    "two": [4, 5],
    "the same twice": [6, 6],
    "nothing": [],
    "the same around another": [5, 4, 5],
}


def collapsed(path: tuple[int, ...]) -> list[int]:
    """Return the tokens of an alignment: repeats are joined, then blanks are left out."""
    return [token for token, _ in itertools.groupby(path) if token != PAD_ID]


def by_alignments(log_probs: Tensor, target: list[int]) -> float:
    """Return -log of the summed probability of all alignments [S, V] that give the target."""
    total = 0.0
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        if collapsed(path) == target:
            total += math.exp(sum(log_probs[state, token] for state, token in enumerate(path)))
    return -math.log(total)


def scores(rows: int, states: int) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(rows, states, VOCAB).log_softmax(-1)


def loss_of(log_probs: Tensor, lengths: list[int], targets: list[list[int]]) -> Tensor:
    batch = make_batch([ids(4)] * len(targets), [ids(*target) for target in targets])
    mask = length_mask(torch.tensor(lengths), log_probs.shape[1], torch.device("cpu"))
    return ctc_loss(log_probs, mask, batch.target_output, batch.target_mask)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_it_is_the_sum_over_all_alignments(target: list[int]) -> None:
    log_probs = scores(1, 4)
    expected = by_alignments(log_probs[0], target)
    assert float(loss_of(log_probs, [4], [target])) == pytest.approx(expected, rel=1e-5)


def test_a_batch_is_the_sum_of_its_rows_and_padding_changes_nothing() -> None:
    log_probs, lengths = scores(3, 5), [5, 3, 4]
    targets = [[4, 5], [6], [6, 6, 4]]
    rows = zip(log_probs, lengths, targets, strict=True)
    expected = sum(by_alignments(row[:length], target) for row, length, target in rows)
    # the last target needs a blank between its two equal tokens: exactly its 4 states
    assert float(loss_of(log_probs, lengths, targets)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("target", [[4, 5, 6], [4, 4]], ids=["too many", "no room for a blank"])
def test_a_target_that_does_not_fit_costs_nothing(target: list[int]) -> None:
    log_probs = scores(1, 2).requires_grad_()
    loss = loss_of(log_probs, [2], [target])
    torch.autograd.backward(loss)
    assert float(loss.detach()) == 0.0
    assert log_probs.grad is not None and not log_probs.grad.any()


def test_the_objective_weighs_it_against_the_cross_entropy_of_the_decoder() -> None:
    batch, settings = small_batch(), training_settings(label_smoothing=0.0)
    plain = make_model(model_tree())
    both = make_model({**model_tree(), "ctc_weight": 0.25})
    both.load_state_dict(plain.state_dict(), strict=False)
    decoder = float(batch_objective(plain, batch, settings, 1).detach())
    output = both(batch)
    encoded = output.encoded
    log_probs = both.ctc_log_probs(encoded)
    encoder = sum(
        by_alignments(row[mask].detach(), target[real][:-1].tolist())
        for row, mask, target, real in zip(
            log_probs, encoded.memory_mask, batch.target_output, batch.target_mask, strict=True
        )
        if len(target[real]) - 1 <= int(mask.sum())
    )
    found = float(batch_objective(both, batch, settings, 1).detach())
    assert found == pytest.approx(0.75 * decoder + 0.25 * encoder, rel=1e-4)


def test_a_model_without_the_layer_has_no_such_term() -> None:
    model, settings = make_model(model_tree()), training_settings()
    reading = read(model, small_batch(), settings, 1)
    assert model.ctc is None
    assert float(TERMS[1](reading, settings)) == 0.0
