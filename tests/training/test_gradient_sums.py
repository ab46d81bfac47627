"""Gradients are summed in buckets, in one order everywhere, while the backward pass goes on."""

import contextlib

import pytest
import torch
from torch import Tensor, nn

from s2scli.training.gradient_sums import GradientSums, Wait


class Doubling:
    """What stands for two processes with the same gradients; it records what it sums."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.waited = 0

    def __call__(self, tensor: Tensor) -> Wait:
        self.sizes.append(tensor.numel())

        def wait() -> None:
            tensor.mul_(2)
            self.waited += 1

        return wait


def layers() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def loss_of(model: nn.Module) -> Tensor:
    output: Tensor = model(torch.linspace(-1, 1, 6).view(2, 3))
    return output.square().sum()


@pytest.mark.parametrize("bucket_bytes", [1, 64, 10**6])
@pytest.mark.parametrize("early", [True, False])
def test_every_gradient_becomes_the_sum(bucket_bytes: int, early: bool) -> None:
    model, expected, doubling = layers(), layers(), Doubling()
    sums = GradientSums(list(model.parameters()), doubling, bucket_bytes)
    for _ in range(2):
        with sums.overlapped() if early else contextlib.nullcontext():
            loss_of(model).backward()  # type: ignore[no-untyped-call]
        started = len(doubling.sizes)
        sums.finish()
        loss_of(expected).backward()  # type: ignore[no-untyped-call]
        for weight, other in zip(model.parameters(), expected.parameters(), strict=True):
            assert weight.grad is not None
            assert other.grad is not None
            torch.testing.assert_close(weight.grad, 2 * other.grad)
        assert started == (len(sums.buckets) if early else 0)
        assert doubling.waited == len(doubling.sizes) == len(sums.buckets)
        doubling.sizes.clear()
        doubling.waited = 0
        model.zero_grad(set_to_none=True)
        expected.zero_grad(set_to_none=True)


def test_the_last_weights_are_summed_first() -> None:
    model, doubling = layers(), Doubling()
    sums = GradientSums(list(model.parameters()), doubling, bucket_bytes=1)
    assert [len(bucket.weights) for bucket in sums.buckets] == [1, 1, 1, 1]
    names = {weight: name for name, weight in model.named_parameters()}
    order = [names[weight] for bucket in sums.buckets for weight in bucket.weights]
    assert order == ["2.bias", "2.weight", "0.bias", "0.weight"]


def test_only_the_last_backward_pass_of_an_update_sums() -> None:
    model, doubling = layers(), Doubling()
    sums = GradientSums(list(model.parameters()), doubling, bucket_bytes=1)
    loss_of(model).backward()  # type: ignore[no-untyped-call]
    assert doubling.sizes == []
    with sums.overlapped():
        loss_of(model).backward()  # type: ignore[no-untyped-call]
    assert len(doubling.sizes) == 4
    alone = layers()
    loss_of(alone).backward()  # type: ignore[no-untyped-call]
    sums.finish()
    for weight, other in zip(model.parameters(), alone.parameters(), strict=True):
        assert weight.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(weight.grad, 4 * other.grad)


def test_a_backward_pass_that_failed_is_made_again() -> None:
    """What was summed before the failure stays; the rest is summed at the end."""
    model, doubling = layers(), Doubling()
    sums = GradientSums(list(model.parameters()), doubling, bucket_bytes=1)

    def fail(gradient: Tensor) -> None:
        raise MemoryError

    first = next(model.parameters())
    handle = first.register_hook(fail)  # type: ignore[no-untyped-call]
    with pytest.raises(MemoryError), sums.overlapped():
        loss_of(model).backward()  # type: ignore[no-untyped-call]
    handle.remove()
    before = len(doubling.sizes)
    assert 0 < before < 4
    model.zero_grad(set_to_none=True)
    loss_of(model).backward()  # type: ignore[no-untyped-call]
    sums.finish()
    assert len(doubling.sizes) == 4
    alone = layers()
    loss_of(alone).backward()  # type: ignore[no-untyped-call]
    for weight, other in zip(model.parameters(), alone.parameters(), strict=True):
        assert weight.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(weight.grad, 2 * other.grad)


def test_a_weight_without_a_gradient_anywhere_keeps_none() -> None:
    model = layers()
    sums = GradientSums(list(model.parameters()), Doubling())
    model[2](torch.ones(1, 5)).sum().backward()
    sums.finish()
    assert model[0].weight.grad is None
    assert model[2].weight.grad is not None


def test_types_are_not_mixed_in_a_bucket() -> None:
    weights = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2, dtype=torch.bfloat16))]
    sums = GradientSums(weights, Doubling())
    assert [bucket.buffer.dtype for bucket in sums.buckets] == [torch.bfloat16, torch.float32]
