"""Attention equals a loop written from the papers."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2scli.errors import ConfigError
from s2scli.model.attention.additive import AdditiveAttention, AdditiveAttentionSettings
from s2scli.model.attention.dot import DotAttentionSettings
from s2scli.model.attention.general import GeneralAttention, GeneralAttentionSettings
from s2scli.model.attention.memory import Attention
from s2scli.model.attention.multi_head import MultiHeadAttention, MultiHeadAttentionSettings
from s2scli.model.attention.none import NoAttentionSettings
from s2scli.model.attention.scaled_dot import ScaledDotAttention, ScaledDotAttentionSettings
from tests.models import make_model, transformer_tree

Array = NDArray[np.float64]
SENTENCES, STEPS, LENGTH, WIDTH = 2, 3, 5, 8


def numbers(tensor: torch.Tensor) -> Array:
    array: Array = tensor.detach().double().numpy()
    return array


def plain_score(attention: Attention, query: Array, key: Array) -> float:
    """One query against one memory state, from the paper's formula."""
    match attention:
        case AdditiveAttention():
            hidden = numbers(attention.query.weight) @ query + numbers(attention.key.weight) @ key
            return float(
                numbers(attention.weight.weight)[0] @ np.tanh(hidden + numbers(attention.key.bias))
            )
        case GeneralAttention():
            return float(query @ numbers(attention.key.weight) @ key)
        case ScaledDotAttention():
            projected = numbers(attention.query.weight) @ query
            return float(projected @ numbers(attention.key.weight) @ key) / math.sqrt(
                len(projected)
            )
        case _:
            return float(query @ key)


ATTENTIONS: dict[str, Callable[[int, int], Attention]] = {
    "additive": AdditiveAttentionSettings(attention_dim=6).build,
    "dot": DotAttentionSettings().build,
    "general": GeneralAttentionSettings().build,
    "multi_head": MultiHeadAttentionSettings(num_heads=2).build,
    "scaled_dot": ScaledDotAttentionSettings(attention_dim=6).build,
}


@pytest.fixture(params=ATTENTIONS)
def attention(request: pytest.FixtureRequest) -> Attention:
    torch.manual_seed(0)
    return ATTENTIONS[request.param](WIDTH, WIDTH)


def read(
    attention: Attention, query: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    found = attention.attend(query, attention.prepare(memory, mask), attention=True)
    assert found.weights is not None
    return found.context, found.weights


@pytest.mark.parametrize("learning", [True, False])
def test_equals_a_loop_over_queries_and_states(attention: Attention, learning: bool) -> None:
    torch.manual_seed(1)
    query, memory = torch.randn(SENTENCES, STEPS, WIDTH), torch.randn(SENTENCES, LENGTH, WIDTH)
    lengths = [5, 3]
    mask = torch.tensor([[place < length for place in range(LENGTH)] for length in lengths])
    with torch.inference_mode(not learning):
        context, weights = read(attention, query, memory, mask)
    for sentence, length in enumerate(lengths):
        for step in range(STEPS):
            heads, blended = plain_attention(
                attention, numbers(query[sentence, step]), numbers(memory[sentence, :length])
            )
            np.testing.assert_allclose(
                weights[sentence, step, :, :length].detach(), heads, atol=1e-5
            )
            np.testing.assert_allclose(context[sentence, step].detach(), blended, atol=1e-5)


def softmax(scores: Array) -> Array:
    exponentials = np.exp(scores - scores.max())
    weights: Array = exponentials / exponentials.sum()
    return weights


def plain_attention(attention: Attention, query: Array, memory: Array) -> tuple[Array, Array]:
    """Weights [H, S] and context of one query, one score after the other."""
    if isinstance(attention, MultiHeadAttention):
        return plain_heads(attention, query, memory)
    weights = softmax(np.array([plain_score(attention, query, key) for key in memory]))
    return weights[None], weights @ memory


def plain_heads(attention: MultiHeadAttention, query: Array, memory: Array) -> tuple[Array, Array]:
    """Vaswani et al. 2017, 3.2.2, head by head."""
    queries = numbers(attention.query.weight) @ query + numbers(attention.query.bias)
    both = memory @ numbers(attention.key_value.weight).T + numbers(attention.key_value.bias)
    keys, values = both[:, :WIDTH], both[:, WIDTH:]
    width = WIDTH // attention.num_heads
    weights, contexts = [], []
    for head in range(attention.num_heads):
        mine = slice(head * width, (head + 1) * width)
        weights.append(softmax(keys[:, mine] @ queries[mine] / math.sqrt(width)))
        contexts.append(weights[-1] @ values[:, mine])
    context = numbers(attention.output.weight) @ np.concatenate(contexts)
    return np.stack(weights), context + numbers(attention.output.bias)


def test_no_mask_is_a_mask_of_real_tokens(attention: Attention) -> None:
    query, memory = torch.randn(SENTENCES, STEPS, WIDTH), torch.randn(SENTENCES, LENGTH, WIDTH)
    mask = torch.ones(SENTENCES, LENGTH, dtype=torch.bool)
    masked, bare = read(attention, query, memory, mask), read(attention, query, memory, None)
    torch.testing.assert_close(masked, bare)


def test_weights_sum_to_one_and_are_zero_on_padding(attention: Attention) -> None:
    torch.manual_seed(1)
    query, memory = torch.randn(SENTENCES, STEPS, WIDTH), torch.randn(SENTENCES, LENGTH, WIDTH)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    _, weights = read(attention, query, memory, mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(SENTENCES, STEPS, attention.num_heads))
    assert weights[1, :, :, 2:].abs().max() == 0


def test_rows_of_a_beam_share_one_memory(attention: Attention) -> None:
    torch.manual_seed(1)
    beam = 4
    query = torch.randn(SENTENCES * beam, 2, WIDTH)
    memory = torch.randn(SENTENCES, LENGTH, WIDTH)
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    shared = read(attention, query, memory, mask)
    repeated = read(
        attention, query, memory.repeat_interleave(beam, 0), mask.repeat_interleave(beam, 0)
    )
    torch.testing.assert_close(shared, repeated)


def test_heads_share_the_width() -> None:
    with pytest.raises(
        ConfigError, match=r"model\.attention\.num_heads: 3 does not divide the width 8"
    ):
        MultiHeadAttentionSettings(num_heads=3).build(8, 6)


def test_dot_refuses_different_widths() -> None:
    with pytest.raises(ConfigError, match=r"model\.attention\.kind: dot needs .* 8 .* 6"):
        DotAttentionSettings().build(8, 6)


def test_none_builds_nothing() -> None:
    NoAttentionSettings().build(8, 6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_additive_scores_have_the_gradients_of_plain_layers(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    attention = AdditiveAttention(WIDTH, WIDTH, 6).double()
    query, keys = (
        torch.randn(SENTENCES, size, WIDTH).double().requires_grad_() for size in (STEPS, LENGTH)
    )
    scale = torch.randn(SENTENCES, STEPS, LENGTH).double()

    def gradients(scores: torch.Tensor) -> tuple[torch.Tensor, ...]:
        wanted = (
            query,
            keys,
            attention.query.weight,
            attention.key.weight,
            attention.weight.weight,
        )
        return torch.autograd.grad((scores * scale).sum(), wanted)

    hidden = torch.tanh(attention.query(query)[:, :, None] + attention.key(keys)[:, None])
    expected = gradients(attention.weight(hidden).squeeze(-1))
    if dtype == torch.float64:
        found, near = gradients(attention.score(query, attention.key(keys))), 1e-10
    else:
        attention, near = attention.float(), 0.05
        query, keys = (some.detach().float().requires_grad_() for some in (query, keys))
        with torch.autocast("cpu", dtype=dtype):
            scores = attention.score(query, attention.key(keys))
        found = gradients(scores)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine.double(), theirs, rtol=near, atol=near)


def test_coverage_equals_a_loop_over_steps() -> None:
    """See et al. 2017, eq. 10 and 11: the scores of a step read the attention of those before."""
    torch.manual_seed(0)
    attention = AdditiveAttentionSettings(attention_dim=6, coverage=True).build(WIDTH, WIDTH)
    assert isinstance(attention, AdditiveAttention) and attention.coverage is not None
    query, memory = torch.randn(SENTENCES, STEPS, WIDTH), torch.randn(SENTENCES, LENGTH, WIDTH)
    prepared = attention.prepare(memory, None)
    for sentence in range(SENTENCES):
        covered = torch.zeros(SENTENCES, LENGTH)
        plain = np.zeros(LENGTH)
        for step in range(STEPS):
            found = attention.attend(
                query[:, step : step + 1], replace(prepared, coverage=covered), attention=True
            )
            assert found.weights is not None
            covered = covered + found.weights[:, 0, 0]
            hidden = numbers(attention.query.weight) @ numbers(query[sentence, step])
            scores = [
                numbers(attention.weight.weight)[0]
                @ np.tanh(
                    hidden
                    + numbers(attention.key.weight) @ numbers(key)
                    + numbers(attention.key.bias)
                    + numbers(attention.coverage.weight)[:, 0] * paid
                )
                for key, paid in zip(memory[sentence], plain, strict=True)
            ]
            weights = softmax(np.array(scores))
            np.testing.assert_allclose(found.weights[sentence, 0, 0].detach(), weights, atol=1e-5)
            plain = plain + weights


def test_a_transformer_cannot_read_its_coverage() -> None:
    tree = transformer_tree("additive")
    tree["attention"]["coverage"] = True
    with pytest.raises(ConfigError, match=r"model\.attention\.coverage: true needs a recurrent"):
        make_model(tree)
