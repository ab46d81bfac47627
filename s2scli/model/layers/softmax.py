"""The softmax, of a few numbers too."""

import torch.nn.functional as F
from torch import Tensor

WIDTH = 16  # numbers that a processor with AVX-512 reckons with at once


def softmax(scores: Tensor) -> Tensor:
    """Return the softmax over the last dimension, of the shape of `scores`.

    On a processor PyTorch takes the numbers one by one where they are fewer than it could take at
    once, which is far slower: those are filled up with what has no probability.
    """
    width = scores.shape[-1]
    if width >= WIDTH or scores.is_cuda:
        return scores.softmax(-1)
    return F.pad(scores, (0, WIDTH - width), value=float("-inf")).softmax(-1)[..., :width]
