"""Heads computed apart are those of the fused kernel."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2scli.model.kernels.attention import (
    attend_heads,
    causal_mask,
    head_weights,
    join_heads,
    split_heads,
)

HEADS = 2


def heads(*shape: int) -> Tensor:
    return torch.randn(2, HEADS, *shape)


@pytest.mark.parametrize("masked", [True, False])
def test_heads_in_bfloat16_are_near_those_in_float32(masked: bool) -> None:
    torch.manual_seed(0)
    query, key, value = heads(5, 4), heads(6, 4), heads(6, 4)
    mask = torch.tensor([[True] * 6, [True] * 2 + [False] * 4])[:, None, None] if masked else None
    exact = attend_heads(query, key, value, mask)
    rough = attend_heads(query.bfloat16(), key.bfloat16(), value.bfloat16(), mask)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, atol=0.03, rtol=0.03)
    if masked:
        key[1, :, 2:], value[1, :, 2:] = 99.0, 99.0
        again = attend_heads(query.bfloat16(), key.bfloat16(), value.bfloat16(), mask)
        assert again.equal(rough), "what is masked is not read"


def test_causal_heads_in_bfloat16_look_back_only() -> None:
    torch.manual_seed(0)
    query, key, value = heads(5, 4), heads(5, 4), heads(5, 4)
    exact = attend_heads(query, key, value, None, causal=True)
    rough = attend_heads(query.bfloat16(), key.bfloat16(), value.bfloat16(), None, causal=True)
    torch.testing.assert_close(rough.float(), exact, atol=0.03, rtol=0.03)
    torch.testing.assert_close(exact[:, :, 0], value[:, :, 0])


@pytest.mark.parametrize("keys", [1, 3, 16, 70, 200])
@pytest.mark.parametrize("queries", [1, 5])
@pytest.mark.parametrize("kind", ["all", "real tokens", "of a beam"])
def test_heads_of_many_short_sequences_are_those_of_the_fused_kernel(
    kind: str, queries: int, keys: int
) -> None:
    torch.manual_seed(0)
    query = torch.randn(20, queries, HEADS, 4).transpose(1, 2)
    key, value = torch.randn(2, 20, HEADS, keys + 3, 4)[:, :, :, :keys]
    mask = None
    if kind == "real tokens":
        mask = (torch.arange(keys) < torch.randint(1, keys + 1, (20, 1)))[:, None, None]
    elif kind == "of a beam":
        mask = torch.rand(20, 1, queries, keys) < 0.5
        mask[..., 0] = True
    fused = attend_heads(query, key, value, mask)
    with torch.inference_mode():
        torch.testing.assert_close(attend_heads(query, key, value, mask), fused)


def test_causal_heads_of_many_short_sequences_are_those_of_the_fused_kernel() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 20, HEADS, 5, 4)
    fused = attend_heads(query, key, value, None, causal=True)
    with torch.inference_mode():
        torch.testing.assert_close(attend_heads(query, key, value, None, causal=True), fused)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropped_weights_are_zero_and_the_rest_is_scaled_up(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    query, key = heads(200, 4).to(dtype), heads(50, 4).to(dtype)
    value = torch.eye(50, dtype=dtype).expand(2, HEADS, 50, 50)
    weights = head_weights(query, key, None).float()
    dropped = attend_heads(query, key, value, None, dropout=0.25).float()
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], weights[kept] / 0.75, atol=1e-3, rtol=0.02)


def test_a_causal_mask_lets_each_look_up_to_itself() -> None:
    found = causal_mask(2, 3, torch.device("cpu"))
    assert found.tolist() == [[True] * 4 + [False], [True] * 5]


def test_heads_are_split_and_joined_again() -> None:
    values = torch.randn(3, 5, HEADS * 4)
    split = split_heads(values, HEADS)
    assert split.shape == (3, HEADS, 5, 4)
    assert split[:, 1].equal(values[:, :, 4:])
    assert join_heads(split).equal(values)


@pytest.mark.parametrize("many", [True, False])
def test_the_fused_kernel_is_left_out_of_a_search_over_many_short_sequences(
    many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused, calls = F.scaled_dot_product_attention, []

    def counted(*given: Any, **named: Any) -> Tensor:
        calls.append(given)
        return fused(*given, **named)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    query = torch.randn(20 if many else 2, HEADS, 5, 4)
    attend_heads(query, query, query, None)
    assert len(calls) == 1, "learning"
    with torch.no_grad():
        attend_heads(query, query, query, None)
    assert len(calls) == (1 if many else 2)
