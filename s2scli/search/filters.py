"""Rules on the next token, as functions on its log-probabilities."""

import torch
from torch import Tensor

from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID

NEVER_WRITTEN = (PAD_ID, BOS_ID)


def forbid(log_probs: Tensor, token_ids: tuple[int, ...] = NEVER_WRITTEN) -> Tensor:
    """Return `log_probs` [B, K, V] with these tokens impossible."""
    filtered = log_probs.clone()
    filtered[..., list(token_ids)] = float("-inf")
    return filtered


def end_where(log_probs: Tensor, must_end: Tensor) -> Tensor:
    """Return `log_probs` [B, K, V] where sentences with `must_end` [B] can only end."""
    others = torch.arange(log_probs.shape[-1], device=log_probs.device) != EOS_ID  # [V]
    return log_probs.masked_fill(must_end[:, None, None] & others, float("-inf"))
