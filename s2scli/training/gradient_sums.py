"""Sums of gradients over processes, computed while the backward pass goes on."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

BUCKET_BYTES = 4 << 20
ALIGNMENT = 16  # numbers; each gradient in a bucket starts at a multiple

Wait = Callable[[], None]
StartSum = Callable[[Tensor], Wait]


@dataclass
class Bucket:
    """Some weights whose gradients are summed in one operation.

    Attributes:
        weights: the weights.
        buffer: the gradients one after another, then for each weight the number of processes that
            have its gradient, [numbers].
        missing: how many gradients the current backward pass has not computed yet.
        wait: waits for the sum; None until it is started.
    """

    weights: Sequence[nn.Parameter]
    buffer: Tensor
    missing: int = 0
    wait: Wait | None = None
    views: Sequence[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        """Make a view of the buffer for each gradient."""
        starts = torch.tensor([0, *map(_aligned, self.weights)]).cumsum(0).tolist()
        pairs = zip(starts, self.weights, strict=False)
        self.views = [self.buffer[start:][: each.numel()].view_as(each) for start, each in pairs]

    @property
    def found(self) -> Tensor:
        """The number of processes that have the gradient of each weight, [weights]."""
        return self.buffer[-len(self.weights) :]

    def start(self, start_sum: StartSum) -> None:
        """Start to sum the gradients; a gradient that this process lacks counts as 0."""
        gradients = [weight.grad for weight in self.weights]
        self.found.fill_(1)
        for number, (view, gradient) in enumerate(zip(self.views, gradients, strict=True)):
            if gradient is None:
                view.zero_()
                self.found[number] = 0
            else:
                view.copy_(gradient)
        self.wait = start_sum(self.buffer)

    def finish(self) -> None:
        """Wait for the sums; they become the gradients."""
        assert self.wait is not None
        self.wait()
        self.wait = None
        found = self.found.tolist() if any(each.grad is None for each in self.weights) else []
        for number, (weight, view) in enumerate(zip(self.weights, self.views, strict=True)):
            if weight.grad is not None or found[number]:
                weight.grad = view


class GradientSums:
    """Sums the gradients of some weights over processes, bucket by bucket.

    A bucket is summed as soon as the backward pass has computed its gradients, in the same order
    in every process: the last weights first, as the backward pass reaches these first (Li et al.
    2020, "PyTorch Distributed", section 3.2).

    Args:
        weights: the weights that have gradients, the same in every process.
        start_sum: starts to sum a tensor in place over the processes.
        bucket_bytes: the minimum size of a bucket, except the last.
    """

    def __init__(
        self, weights: Sequence[nn.Parameter], start_sum: StartSum, bucket_bytes: int = BUCKET_BYTES
    ) -> None:
        self.weights, self.start_sum = weights, start_sum
        self.buckets = [_bucket(some) for some in _divide(weights, bucket_bytes)]
        self._listening = False
        for bucket in self.buckets:
            for weight in bucket.weights:
                weight.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                    self._listener(bucket)
                )

    @contextlib.contextmanager
    def overlapped(self) -> Iterator[None]:
        """Sum gradients as they become ready in the block, the last backward pass of an update."""
        for bucket in self.buckets:
            bucket.missing = len(bucket.weights)
        self._listening = True
        try:
            yield
        finally:
            self._listening = False

    def finish(self) -> None:
        """Sum what has not been summed; then every gradient is the sum over the processes."""
        for bucket in self.buckets:
            if bucket.wait is None:
                bucket.start(self.start_sum)
        for bucket in self.buckets:
            bucket.finish()

    def _listener(self, bucket: Bucket) -> Callable[[Tensor], None]:
        def listen(weight: Tensor) -> None:
            if self._listening:
                bucket.missing -= 1
                self._start_ready()

        return listen

    def _start_ready(self) -> None:
        """Start the buckets that are ready, up to the first that is not."""
        for bucket in self.buckets:
            if bucket.missing:
                return
            if bucket.wait is None:
                bucket.start(self.start_sum)


def _aligned(weight: nn.Parameter) -> int:
    return -(-weight.numel() // ALIGNMENT) * ALIGNMENT


def _divide(weights: Sequence[nn.Parameter], least: int) -> Iterator[list[nn.Parameter]]:
    """Yield groups of weights of one type and device, the last weights first.

    Args:
        weights: the weights in the model's order.
        least: the number of bytes at which a group is complete.
    """
    group: list[nn.Parameter] = []
    for weight in reversed(weights):
        alike = not group or (weight.dtype, weight.device) == (group[0].dtype, group[0].device)
        if group and (not alike or sum(each.nbytes for each in group) >= least):
            yield group
            group = []
        group.append(weight)
    if group:
        yield group


def _bucket(weights: Sequence[nn.Parameter]) -> Bucket:
    size = sum(map(_aligned, weights)) + len(weights)
    return Bucket(weights, torch.zeros(size, dtype=weights[0].dtype, device=weights[0].device))
