"""The softmax, fast for a few numbers too."""

import torch.nn.functional as F
from torch import Tensor

from s2scli.model.kernels.machine import Kernel

WIDTH = 16  # numbers that a processor with AVX-512 computes with at once
FILLED_UP = Kernel()


def softmax(scores: Tensor) -> Tensor:
    """Return the softmax over the last dimension, of the shape of `scores`.

    On a processor PyTorch computes fewer than `WIDTH` numbers one by one, which is far slower:
    those are filled up with numbers that have no probability.
    """
    width = scores.shape[-1]
    if width >= WIDTH or not FILLED_UP.runs(scores):
        return scores.softmax(-1)
    return F.pad(scores, (0, WIDTH - width), value=float("-inf")).softmax(-1)[..., :width]
