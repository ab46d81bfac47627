"""Connectionist temporal classification (CTC): a loss for the encoder."""

import torch.nn.functional as F
from torch import Tensor

from s2scli.special_ids import PAD_ID


def ctc_loss(log_probs: Tensor, memory_mask: Tensor, target: Tensor, target_mask: Tensor) -> Tensor:
    """Return -log p(target | encoder states), summed over a batch, in nats (Graves et al. 2006).

    The padding token stands for the blank. A target that does not fit into its encoder states
    has a loss of 0.

    Args:
        log_probs: the log-probabilities of the tokens at each encoder state, [B, S, V].
        memory_mask: True at real encoder states, [B, S].
        target: target ids, each followed by the end token, [B, T].
        target_mask: True at real tokens, [B, T].
    """
    return F.ctc_loss(
        log_probs.transpose(0, 1),
        target,
        memory_mask.sum(1),
        target_mask.sum(1) - 1,  # without the end token
        blank=PAD_ID,
        reduction="sum",
        zero_infinity=True,
    )
