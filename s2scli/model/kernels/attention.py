"""Multi-head attention, by PyTorch's fused kernel or by separate matrix products.

On a CPU the separate products are faster in two cases: in float16 and bfloat16 (in bfloat16 the
backward pass of the fused kernel takes four to ten times as long), and without gradients over many
short sequences, where the fused kernel has a large overhead.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from s2scli.model.kernels.dropout import drop
from s2scli.model.kernels.machine import Kernel
from s2scli.model.kernels.softmax import softmax

SHORT = 128  # a sequence with fewer keys is short
MANY = 32  # minimum number of sentences x heads
OF_FEW_DIGITS = Kernel(frozenset({torch.float16, torch.bfloat16}))
OF_MANY_SHORT = Kernel(frozenset({torch.float32, torch.float64}), with_gradients=False)


def split_heads(values: Tensor, num_heads: int) -> Tensor:
    """Reshape [B, T, H x K] to [B, H, T, K]."""
    batch, steps, width = values.shape
    return values.view(batch, steps, num_heads, width // num_heads).transpose(1, 2)


def join_heads(values: Tensor) -> Tensor:
    """Reshape [B, H, T, K] to [B, T, H x K]."""
    return values.transpose(1, 2).flatten(2)


def attend_heads(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    causal: bool = False,
    dropout: float = 0.0,
) -> Tensor:
    """Return softmax(Q K' / sqrt(K)) V of each head (Vaswani et al. 2017, eq. 1), [B, H, Q, K].

    Args:
        query: [B, H, Q, K].
        key: [B, H, S, K].
        value: [B, H, S, K].
        mask: True where a query may attend, broadcast to [B, H, Q, S]; None allows all keys.
        causal: query i may attend only to keys 0 to i; `mask` must then be None.
        dropout: dropout probability of the weights.
    """
    if not _apart_is_faster(query, key):
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=causal, dropout_p=dropout
        )
    if causal:
        mask = causal_mask(query.shape[2], 0, query.device)
    weights = drop(head_weights(query, key, mask), dropout)
    return weights.to(value.dtype) @ value


def _apart_is_faster(query: Tensor, key: Tensor) -> bool:
    """Whether separate products are faster than the fused kernel for these inputs.

    Args:
        query: [B, H, Q, K].
        key: [B, H, S, K].
    """
    sentences, heads, keys, _ = key.shape
    many_short = sentences * heads >= MANY and keys < SHORT
    return (many_short and OF_MANY_SHORT.runs(query)) or OF_FEW_DIGITS.runs(query)


def head_weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    """Return softmax(Q K' / sqrt(K)), the weights of `attend_heads` without dropout, [B, H, Q, S].

    Args:
        query: [B, H, Q, K].
        key: [B, H, S, K].
        mask: True where a query may attend, broadcast to [B, H, Q, S]; None allows all keys.
    """
    sentences, heads, steps, width = query.shape
    queries = query.reshape(-1, steps, width)  # [B x H, Q, K]
    keys = key.reshape(len(queries), -1, width)
    scores = torch.baddbmm(
        queries.new_zeros(()), queries, keys.transpose(1, 2), beta=0, alpha=width**-0.5
    ).view(sentences, heads, steps, -1)
    if mask is not None:
        scores = scores.masked_fill_(~mask, float("-inf"))
    return softmax(scores)


def causal_mask(steps: int, past: int, device: torch.device) -> Tensor:
    """Return the causal mask [T, P + T] of T = `steps` new tokens after P = `past` earlier ones.

    It is True where a token may attend: at all earlier tokens, and at new ones up to itself.
    """
    return torch.ones(steps, past + steps, dtype=torch.bool, device=device).tril(past)
