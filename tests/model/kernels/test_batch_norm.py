"""Batch normalization is torch's, and padding changes nothing."""

import pytest
import torch
from torch import Tensor, nn

from s2scli.model.kernels.batch_norm import BatchNorm, running_statistics
from s2scli.model.weights import model_weights
from s2scli.training.freezing import count_frozen, freeze, trainable


def norms() -> tuple[BatchNorm, nn.BatchNorm2d]:
    """A norm with random weights, and torch's norm with the same."""
    torch.manual_seed(0)
    ours, theirs = BatchNorm(3), nn.BatchNorm2d(3)
    with torch.no_grad():
        ours.gain.normal_()
        ours.bias.normal_()
        theirs.weight.copy_(ours.gain.flatten())
        theirs.bias.copy_(ours.bias.flatten())
    return ours, theirs


def everywhere(states: Tensor) -> Tensor:
    return torch.ones(states.shape[0], 1, states.shape[2], 1, dtype=torch.bool)


def test_training_is_that_of_torch() -> None:
    ours, theirs = norms()
    states = 3 * torch.randn(4, 3, 6, 5) + 2
    torch.testing.assert_close(ours(states, everywhere(states)), theirs(states))
    assert theirs.running_mean is not None and theirs.running_var is not None
    torch.testing.assert_close(ours.mean.flatten(), theirs.running_mean)
    count = 4 * 6 * 5  # torch follows the unbiased variance
    expected = 0.9 + (theirs.running_var - 0.9) * (count - 1) / count
    torch.testing.assert_close(ours.variance.flatten(), expected)


def test_evaluation_uses_the_running_statistics() -> None:
    ours, theirs = norms()
    assert theirs.running_mean is not None and theirs.running_var is not None
    with torch.no_grad():
        ours.mean.copy_(theirs.running_mean.normal_().view(3, 1, 1))
        ours.variance.copy_(theirs.running_var.uniform_(1, 2).view(3, 1, 1))
    states = torch.randn(2, 3, 4, 5)
    before = ours.mean.clone()
    torch.testing.assert_close(ours.eval()(states, everywhere(states)), theirs.eval()(states))
    assert torch.equal(ours.mean, before)


def test_padding_does_not_count() -> None:
    ours, _ = norms()
    again, _ = norms()
    states = torch.randn(2, 3, 6, 5)
    filled = torch.cat([states, torch.full((2, 3, 4, 5), 99.0)], 2)
    mask = torch.cat([everywhere(states), ~everywhere(filled)[:, :, :4]], 2)
    torch.testing.assert_close(again(filled, mask)[:, :, :6], ours(states, everywhere(states)))
    torch.testing.assert_close(again.mean, ours.mean)
    torch.testing.assert_close(again.variance, ours.variance)


def test_a_frozen_norm_learns_nothing() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model.append(BatchNorm(3))
    assert count_frozen(model) == 0 and len(running_statistics(model)) == 2
    assert not {"1.mean", "1.variance"} & {*trainable(model)}
    assert {"1.mean", "1.variance"} < {*model_weights(model)}, "they are saved"
    assert len(running_statistics(model, frozen=False)) == 2
    freeze(model, ["1"])
    assert count_frozen(model) == 6, "gain and bias"
    assert len(running_statistics(model)) == 2 and not running_statistics(model, frozen=False)
    norm = model[1]
    assert isinstance(norm, BatchNorm)
    states = 5 + torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(norm(states, everywhere(states)), states, atol=1e-4, rtol=1e-5)
    assert not norm.mean.any()


def test_numbers_that_are_not_finite_are_not_followed() -> None:
    norm, _ = norms()
    states = torch.randn(2, 3, 4, 5)
    states[0, 1, 0, 0] = float("nan")
    norm(states, everywhere(states))
    assert norm.mean.isfinite().all() and norm.variance.isfinite().all()
    assert not norm.mean[1].any() and norm.mean[0].all(), "other channels are"


def test_one_number_is_normalized_to_its_bias() -> None:
    ours, _ = norms()
    one = torch.randn(1, 3, 1, 1)
    assert ours(one, everywhere(one)).flatten().tolist() == pytest.approx(
        ours.bias.flatten().tolist()
    )
