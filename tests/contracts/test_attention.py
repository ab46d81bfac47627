"""Attention equals a loop written from the papers."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2scli.errors import ConfigError
from s2scli.model.attention.additive import AdditiveAttention, AdditiveAttentionSettings
from s2scli.model.attention.dot import DotAttentionSettings
from s2scli.model.attention.general import GeneralAttention, GeneralAttentionSettings
from s2scli.model.attention.memory import Attention, attend, prepare
from s2scli.model.attention.none import NoAttentionSettings
from s2scli.model.attention.scaled_dot import ScaledDotAttention, ScaledDotAttentionSettings

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
    "scaled_dot": ScaledDotAttentionSettings(attention_dim=6).build,
}


@pytest.fixture(params=ATTENTIONS)
def attention(request: pytest.FixtureRequest) -> Attention:
    torch.manual_seed(0)
    return ATTENTIONS[request.param](WIDTH, WIDTH)


def test_equals_a_loop_over_queries_and_states(attention: Attention) -> None:
    torch.manual_seed(1)
    query, memory = torch.randn(SENTENCES, STEPS, WIDTH), torch.randn(SENTENCES, LENGTH, WIDTH)
    lengths = [5, 3]
    mask = torch.tensor([[place < length for place in range(LENGTH)] for length in lengths])
    context, weights = attend(attention, query, prepare(attention, memory, mask))
    for sentence, length in enumerate(lengths):
        for step in range(STEPS):
            scores = [
                plain_score(
                    attention, numbers(query[sentence, step]), numbers(memory[sentence, place])
                )
                for place in range(length)
            ]
            exponentials = [math.exp(score) for score in scores]
            expected = np.array(exponentials) / sum(exponentials)
            np.testing.assert_allclose(
                weights[sentence, step, :length].detach(), expected, atol=1e-5
            )
            blended = sum(w * numbers(memory[sentence, j]) for j, w in enumerate(expected))
            np.testing.assert_allclose(context[sentence, step].detach(), blended, atol=1e-5)


def test_weights_sum_to_one_and_are_zero_on_padding(attention: Attention) -> None:
    torch.manual_seed(1)
    query, memory = torch.randn(SENTENCES, STEPS, WIDTH), torch.randn(SENTENCES, LENGTH, WIDTH)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    _, weights = attend(attention, query, prepare(attention, memory, mask))
    torch.testing.assert_close(weights.sum(-1), torch.ones(SENTENCES, STEPS))
    assert weights[1, :, 2:].abs().max() == 0


def test_rows_of_a_beam_share_one_memory(attention: Attention) -> None:
    torch.manual_seed(1)
    beam = 4
    query = torch.randn(SENTENCES * beam, 1, WIDTH)
    memory = torch.randn(SENTENCES, LENGTH, WIDTH)
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    shared, _ = attend(attention, query, prepare(attention, memory, mask))
    repeated, _ = attend(
        attention,
        query,
        prepare(attention, memory.repeat_interleave(beam, 0), mask.repeat_interleave(beam, 0)),
    )
    torch.testing.assert_close(shared, repeated)


def test_dot_refuses_different_widths() -> None:
    with pytest.raises(ConfigError, match=r"model\.attention\.kind: dot needs .* 8 .* 6"):
        DotAttentionSettings().build(8, 6)


def test_none_builds_nothing() -> None:
    NoAttentionSettings().build(8, 6)
