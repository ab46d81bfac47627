"""One update of the weights: its gradients, their norm, and the optimizer's step.

Nothing here reads a value back from the device, so that the host never waits for it: whether a
gradient is finite is decided on the device.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from s2scli.data.batch import Batch
from s2scli.memory import is_out_of_memory
from s2scli.model.kernels.allocation import give_back_freed_memory
from s2scli.model.seq2seq import Seq2Seq
from s2scli.training.checkpoint import random_state, restore_random_state
from s2scli.training.objective import batch_objective
from s2scli.training.settings import TrainingSettings

Overlapped = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Sums:
    """What the gradients of an update were summed over, in this process.

    Attributes:
        loss: the objective in nats, a scalar on the device.
        tokens: the number of target tokens.
        splits: how often a batch was split because it did not fit into memory.
        left_out: the rows that do not fit into memory even alone.
    """

    loss: Tensor
    tokens: int
    splits: int = 0
    left_out: tuple[int, ...] = ()


def accumulate(
    model: Seq2Seq,
    group: Sequence[Batch],
    settings: TrainingSettings,
    device: torch.device,
    step: int,
    overlapped: Overlapped = contextlib.nullcontext,
    restore: Callable[[], None] = lambda: None,
) -> Sums:
    """Add up the gradients of the objective of some batches, summed over their target tokens.

    If a batch does not fit into memory, everything starts over with that batch split into halves,
    which gives the same gradient, except for means over a batch: those of free bits and of batch
    norm are over each half. Random choices start over too, so that they depend only on the
    random state and on the parts. A single example that does not fit is left out. With several
    processes, a sum of gradients that has started cannot be taken back: it is the gradient of the
    whole batch, with other random choices.

    Args:
        model: the model.
        group: the batches.
        settings: the training settings.
        device: the device of the model.
        step: the number of the update.
        overlapped: opens the context of the last backward pass.
        restore: restores what a forward pass changes; called before everything starts over.

    Raises:
        MemoryError: several examples, and none of them fits.
    """
    parts, left_out, random = list(group), list[Batch](), random_state(device)
    while parts:
        losses = _backward(model, parts, settings, device, step, overlapped)
        if len(losses) == len(parts):
            splits = len(parts) + len(left_out) - len(group)
            tokens = sum(len(part.real) for part in parts)
            return Sums(torch.stack(losses).sum(), tokens, splits, _rows(left_out))
        restore()
        _start_over(model, random, device)
        failed = parts.pop(len(losses))
        if len(failed.source) > 1:
            parts[len(losses) : len(losses)] = failed.halves()
        else:
            left_out.append(failed)
    if len(left_out) > 1:
        raise MemoryError("no example fits")
    return Sums(torch.zeros((), device=device), 0, 0, _rows(left_out))


def _backward(
    model: Seq2Seq,
    parts: Sequence[Batch],
    settings: TrainingSettings,
    device: torch.device,
    step: int,
    overlapped: Overlapped,
) -> list[Tensor]:
    """Add the gradients of batches, up to the first that does not fit; return their objectives."""
    losses: list[Tensor] = []
    for part in parts:
        try:
            loss = batch_objective(model, part.to(device), settings, step)
            # 1; but NaN, as is then every gradient, if the loss is not finite
            with overlapped() if part is parts[-1] else contextlib.nullcontext():
                torch.autograd.backward(loss, 1 + 0 * loss.detach())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            break
        losses.append(loss.detach())
    return losses


def _start_over(model: nn.Module, random: dict[str, Tensor], device: torch.device) -> None:
    """Drop all gradients, free memory and restore the random state."""
    model.zero_grad(set_to_none=True)
    give_back_freed_memory()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    restore_random_state(random, device)


def _rows(batches: Iterable[Batch]) -> tuple[int, ...]:
    return tuple(row for batch in batches for row in batch.rows)


def normalize(parameters: Iterable[nn.Parameter], tokens: int, limit: float) -> Tensor:
    """Divide summed gradients by a number of tokens, then clip their norm (Pascanu et al. 2013).

    Args:
        parameters: the parameters with the gradients.
        tokens: the number of tokens; without any, the norm is NaN.
        limit: the largest norm after clipping.

    Returns:
        The norm before clipping, a scalar on the device.
    """
    weights = list(parameters)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if not gradients or not tokens:
        return torch.full((), math.nan, device=weights[0].device)
    norm = nn.utils.get_total_norm(gradients) / tokens
    torch._foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp(max=1.0) / tokens)
    return norm


def step_if_finite(optimizer: Optimizer, gradient_norm: Tensor) -> None:
    """Update the weights if the gradient norm is finite; otherwise nothing changes.

    The fused optimizers (Adam, AdamW, SGD) decide on the device. For others the host waits.
    """
    not_finite = gradient_norm.isfinite().logical_not().float()
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        optimizer.grad_scale, optimizer.found_inf = None, not_finite  # type: ignore[attr-defined]
        optimizer.step()
        del optimizer.grad_scale, optimizer.found_inf  # type: ignore[attr-defined]
    elif not not_finite:
        optimizer.step()
