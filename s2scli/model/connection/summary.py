"""Summaries of a source as one vector, and conversion of a vector to a recurrent state."""

from collections.abc import Callable

from torch import Tensor

from s2scli.model.states import EncoderOutput, StateShape

Summary = Callable[[EncoderOutput], Tensor]


def last_state(output: EncoderOutput) -> Tensor:
    """Return the top layer's state after the last token, [B, D]."""
    return output.final_state[0][-1]


def masked_mean(output: EncoderOutput) -> Tensor:
    """Return the mean of the memory over real tokens, [B, D]."""
    mask = output.memory_mask[:, :, None].to(output.memory.dtype)
    return (output.memory * mask).sum(1) / mask.sum(1)


def masked_max(output: EncoderOutput) -> Tensor:
    """Return the maximum of the memory over real tokens, for each unit, [B, D]."""
    outside = ~output.memory_mask[:, :, None]
    return output.memory.masked_fill(outside, float("-inf")).amax(1)


SUMMARIES: dict[str, Summary] = {"last": last_state, "mean": masked_mean, "max": masked_max}


def state_size(shape: StateShape) -> int:
    """Return the number of values in a state of this shape for one sentence."""
    return shape.parts * shape.num_layers * shape.dim


def as_state(flat: Tensor, shape: StateShape) -> tuple[Tensor, ...]:
    """Reshape [B, parts x L x D] to a state: one tensor [L, B, D] per part."""
    if not shape.parts:
        return ()
    rows = flat.view(len(flat), shape.parts, shape.num_layers, shape.dim)
    return tuple(rows.permute(1, 2, 0, 3).unbind(0))
