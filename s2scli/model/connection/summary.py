"""A source as one vector, and one vector as the decoder's first state."""

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
    """Return the largest value of each unit of the memory over real tokens, [B, D]."""
    outside = ~output.memory_mask[:, :, None]
    return output.memory.masked_fill(outside, float("-inf")).amax(1)


SUMMARIES: dict[str, Summary] = {"last": last_state, "mean": masked_mean, "max": masked_max}


def state_size(shape: StateShape) -> int:
    """Return how many numbers a state of this shape holds for one sentence."""
    return shape.parts * shape.num_layers * shape.dim


def as_state(flat: Tensor, shape: StateShape) -> tuple[Tensor, ...]:
    """Return rows of `state_size` numbers, [B, P x L x D], as parts of [L, B, D]."""
    if not shape.parts:
        return ()
    rows = flat.view(len(flat), shape.parts, shape.num_layers, shape.dim)
    return tuple(rows.permute(1, 2, 0, 3).unbind(0))
