"""Both sides of the Transformer against PyTorch's own layers and a twin made of loops."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from s2scli.data.batch import make_batch, make_source
from s2scli.model.attention.multi_head import MultiHeadAttention
from s2scli.model.decoder.transformer import (
    TransformerDecoderLayer,
    TransformerDecoderSettings,
    TransformerState,
    see_more,
)
from s2scli.model.encoder.transformer import TransformerEncoderLayer, TransformerEncoderSettings
from s2scli.model.seq2seq import Seq2Seq
from s2scli.special_ids import BOS_ID
from tests.models import make_model, small_batch, transformer_tree

Array = NDArray[np.float64]
DIM, HEADS = 8, 2
STACK = {"model_dim": DIM, "num_layers": 2, "num_heads": HEADS, "ffn_dim": 6, "dropout": 0.0}


def randomise(module: nn.Module) -> None:
    """Give biases and norms values of their own too."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(0, 0.5)


def copy_attention(theirs: nn.MultiheadAttention, projection: nn.Linear, output: nn.Linear) -> None:
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = projection.weight, projection.bias
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = output.weight, output.bias


def copy_pairs(*pairs: tuple[nn.Module, nn.Module]) -> None:
    for theirs, ours in pairs:
        theirs.load_state_dict(ours.state_dict())


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_an_encoder_layer_equals_pytorchs(norm_first: bool, activation: Any) -> None:
    settings = TransformerEncoderSettings(**STACK, norm_first=norm_first, activation=activation)
    ours = TransformerEncoderLayer(settings)
    randomise(ours)
    theirs = nn.TransformerEncoderLayer(
        DIM, HEADS, 6, 0.0, activation, batch_first=True, norm_first=norm_first
    )
    attention = ours.self_attention
    copy_attention(theirs.self_attn, attention.query_key_value, attention.output)
    copy_pairs(
        (theirs.linear1, ours.feed_forward.inner),
        (theirs.linear2, ours.feed_forward.outer),
        (theirs.norm1, ours.around_self_attention.norm),
        (theirs.norm2, ours.around_feed_forward.norm),
    )
    states = torch.randn(2, 5, DIM)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    found = ours(states, mask[:, None, None, :], None)
    expected = theirs(states, src_key_padding_mask=~mask)
    torch.testing.assert_close(found[mask], expected[mask], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_layer_equals_pytorchs(norm_first: bool) -> None:
    settings = TransformerDecoderSettings(**STACK, norm_first=norm_first)
    attention = MultiHeadAttention(DIM, DIM, HEADS, 0.0)
    self_attention = settings.make_self_attention()
    ours = TransformerDecoderLayer(settings, attention, self_attention)
    randomise(ours)
    theirs = nn.TransformerDecoderLayer(DIM, HEADS, 6, 0.0, batch_first=True, norm_first=norm_first)
    copy_attention(theirs.self_attn, self_attention.query_key_value, self_attention.output)
    both = nn.Linear(DIM, 3 * DIM)
    both.weight.data = torch.cat([attention.query.weight, attention.key_value.weight])
    both.bias.data = torch.cat([attention.query.bias, attention.key_value.bias])
    copy_attention(theirs.multihead_attn, both, attention.output)
    copy_pairs(
        (theirs.linear1, ours.feed_forward.inner),
        (theirs.linear2, ours.feed_forward.outer),
        (theirs.norm1, ours.around_self_attention.norm),
        (theirs.norm2, ours.around_attention.norm),
        (theirs.norm3, ours.around_feed_forward.norm),
    )
    states, memory = torch.randn(2, 4, DIM), torch.randn(2, 5, DIM)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    empty = ours.self_attention.empty_cache(states)
    found = ours(states, empty, None, attention.prepare(memory, mask), None, attention=False)
    expected = theirs(
        states,
        memory,
        tgt_mask=nn.Transformer.generate_square_subsequent_mask(4),
        memory_key_padding_mask=~mask,
    )
    torch.testing.assert_close(found.states, expected, atol=1e-4, rtol=1e-4)


class Twin:
    """A Transformer of one sentence in plain loops, on the weights of ours."""

    def __init__(self, model: Seq2Seq, *, norm_first: bool) -> None:
        self.norm_first = norm_first
        self.weights = {name: w.detach().double().numpy() for name, w in model.named_parameters()}

    def linear(self, name: str, x: Array) -> Array:
        product: Array = x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return product

    def norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5)
        normed: Array = scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return normed

    def enter(self, side: str, part: str, tokens: list[int]) -> Array:
        table = self.weights[f"{side}.table.weight"]
        rows = []
        for index, token in enumerate(tokens):
            angles = [index / 10000 ** (2 * i / DIM) for i in range(DIM // 2)]
            position = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            vector = table[token] * math.sqrt(table.shape[1])
            rows.append(self.linear(f"{part}.entrance.project", vector) + np.array(position))
        return np.stack(rows)

    def heads(self, query: Array, key: Array, value: Array, *, causal: bool) -> Array:
        width = DIM // HEADS
        result = np.zeros_like(query)
        for head in range(HEADS):
            mine = slice(head * width, (head + 1) * width)
            for step in range(len(query)):
                end = step + 1 if causal else len(key)
                scores = key[:end, mine] @ query[step, mine] / math.sqrt(width)
                exponentials = np.exp(scores - scores.max())
                result[step, mine] = exponentials / exponentials.sum() @ value[:end, mine]
        return result

    def around(self, name: str, x: Array, sublayer: Callable[[Array], Array]) -> Array:
        if self.norm_first:
            return x + sublayer(self.norm(f"{name}.norm", x))
        return self.norm(f"{name}.norm", x + sublayer(x))

    def self_attention(self, name: str, x: Array, *, causal: bool) -> Array:
        query, key, value = np.split(self.linear(f"{name}.query_key_value", x), 3, -1)
        return self.linear(f"{name}.output", self.heads(query, key, value, causal=causal))

    def attention(self, name: str, x: Array, memory: Array) -> Array:
        key, value = np.split(self.linear(f"{name}.key_value", memory), 2, -1)
        query = self.linear(f"{name}.query", x)
        return self.linear(f"{name}.output", self.heads(query, key, value, causal=False))

    def feed_forward(self, name: str, x: Array) -> Array:
        return self.linear(f"{name}.outer", np.maximum(self.linear(f"{name}.inner", x), 0))

    def stack(self, part: str, x: Array, memory: Array | None) -> Array:
        for number in range(2):
            layer = f"{part}.layers.{number}"
            causal = memory is not None
            attend = partial(self.self_attention, f"{layer}.self_attention", causal=causal)
            x = self.around(f"{layer}.around_self_attention", x, attend)
            if memory is not None:
                read = partial(self.attention, f"{layer}.attention", memory=memory)
                x = self.around(f"{layer}.around_attention", x, read)
            think = partial(self.feed_forward, f"{layer}.feed_forward")
            x = self.around(f"{layer}.around_feed_forward", x, think)
        return self.norm(f"{part}.norm", x) if self.norm_first else x

    def logits(self, source: list[int], target: list[int]) -> Array:
        memory = self.stack("encoder", self.enter("source", "encoder", source), None)
        hidden = self.stack("decoder", self.enter("target", "decoder", target), memory)
        return self.linear("output", hidden)


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_whole_equals_a_twin_made_of_loops(norm_first: bool) -> None:
    model = make_model(transformer_tree(norm_first=norm_first))
    twin, batch = Twin(model, norm_first=norm_first), small_batch()
    logits = model.logits(model(batch).hidden).detach()
    for row, length in enumerate(batch.source_lengths.tolist()):
        source, target = batch.source[row, :length].tolist(), batch.target_input[row].tolist()
        np.testing.assert_allclose(logits[row], twin.logits(source, target), atol=1e-3)


@torch.inference_mode()
def test_what_no_row_has_read_leaves_and_the_rest_is_as_before() -> None:
    torch.manual_seed(0)
    model, beam, steps = make_model(transformer_tree()), 4, 40
    sources = [np.array([4, 5, 6, 7]), np.array([8, 5])]
    source, lengths = make_source(sources)
    first = torch.arange(len(sources))[:, None] * beam  # the first row of each sentence
    step = model.step(
        torch.tensor([BOS_ID] * len(sources)), model.start(model.encode(source, lengths))
    )
    rows = torch.arange(len(sources)).repeat_interleave(beam)
    written, most = torch.zeros(len(sources), 0, dtype=torch.long), 0
    for _ in range(steps):
        written = torch.cat([written[rows], torch.randint(4, 11, (len(rows), 1))], 1)
        step = model.step(written[:, -1], step.state.reorder(rows))
        assert isinstance(step.state, TransformerState)
        most = max(most, step.state.caches[0].keys.shape[2])
        rows = (first + torch.randint(0, 2, (len(sources), beam))).flatten()  # two of four go on
    again = make_batch([ids for ids in sources for _ in range(beam)], list(written.numpy()))
    torch.testing.assert_close(step.logits, model.logits(model(again).hidden[:, -1]))
    assert steps < most < 2.5 * steps < beam * steps


def test_a_row_sees_what_it_has_read_and_no_other() -> None:
    seen = torch.tensor([[[True, False], [False, True]]])
    sight, after = see_more(seen, 2)
    expected = [
        [True, False, True, False, False, False],
        [True, False, True, True, False, False],
        [False, True, False, False, True, False],
        [False, True, False, False, True, True],
    ]
    assert sight[0].tolist() == expected
    assert after[0].tolist() == [expected[1], expected[3]]
