"""The Transformer against the papers' formulas, PyTorch's own layers, and a twin made of loops."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from s2scli.data.batch import make_batch, make_source
from s2scli.errors import ConfigError
from s2scli.model.attention.multi_head import MultiHeadAttention
from s2scli.model.decoder.transformer import (
    TransformerDecoderLayer,
    TransformerDecoderSettings,
    TransformerState,
    see_more,
)
from s2scli.model.encoder.transformer import TransformerEncoderLayer, TransformerEncoderSettings
from s2scli.model.kernels.attention import attend_heads, causal_mask, head_weights
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.transformer.feed_forward import FeedForward
from s2scli.model.transformer.positions import LearnedPositions, rotary_angles, rotate, sinusoids
from s2scli.model.transformer.residual import Residual
from s2scli.model.transformer.self_attention import SelfAttention
from s2scli.special_ids import BOS_ID
from tests.models import make_model, small_batch, transformer_tree

Array = NDArray[np.float64]
DIM, HEADS = 8, 2
STACK = {"model_dim": DIM, "num_layers": 2, "num_heads": HEADS, "ffn_dim": 6, "dropout": 0.0}


# Positions


def test_sinusoids_are_the_papers_in_another_order() -> None:
    found = sinusoids(torch.tensor([0, 1, 7, 300]), DIM)
    for row, place in enumerate([0, 1, 7, 300]):
        for pair in range(DIM // 2):
            angle = place / 10000 ** (2 * pair / DIM)
            assert found[row, pair].item() == pytest.approx(math.sin(angle), abs=1e-4)
            assert found[row, DIM // 2 + pair].item() == pytest.approx(math.cos(angle), abs=1e-4)


def test_sinusoids_of_an_odd_width_leave_one_cosine_out() -> None:
    assert sinusoids(torch.arange(3), 5).equal(sinusoids(torch.arange(3), 6)[:, :5])


def rotary_scores(query: Tensor, key: Tensor, shift: int) -> Tensor:
    """Dot products of all queries with all keys, [H, T, T], where the first stands at `shift`."""
    angles = rotary_angles(torch.arange(shift, shift + query.shape[2]), query.shape[-1])
    return (rotate(query, angles) @ rotate(key, angles).transpose(-1, -2))[0]


def test_rotary_scores_depend_on_the_distance_only() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(1, HEADS, 5, 4), torch.randn(1, HEADS, 5, 4)
    scores = rotary_scores(query, key, 0)
    torch.testing.assert_close(rotary_scores(query, key, 900), scores, atol=1e-3, rtol=1e-3)
    alike = query[:, :, :1].expand(query.shape), key[:, :, :1].expand(key.shape)
    scores = rotary_scores(*alike, 3)
    for distance in range(-4, 5):
        diagonal = scores.diagonal(distance, 1, 2)
        torch.testing.assert_close(diagonal, diagonal[:, :1].expand(diagonal.shape))
    assert not torch.allclose(scores[0, 0, 0], scores[0, 0, 1])


def test_rotation_is_that_of_complex_numbers() -> None:
    torch.manual_seed(0)
    values, places = torch.randn(1, 1, 3, 4), torch.tensor([0, 2, 5])
    turned = rotate(values, rotary_angles(places, 4))
    for step, place in enumerate(places.tolist()):
        for pair in range(2):
            number = complex(values[0, 0, step, pair], values[0, 0, step, pair + 2])
            number *= np.exp(1j * place * 10000 ** (-2 * pair / 4))
            assert turned[0, 0, step, pair].item() == pytest.approx(number.real, abs=1e-5)
            assert turned[0, 0, step, pair + 2].item() == pytest.approx(number.imag, abs=1e-5)


def test_rotary_positions_need_pairs() -> None:
    with pytest.raises(ConfigError, match=r"model\.encoder\.positions: rotary .* a head has 3"):
        TransformerEncoderSettings(model_dim=6, num_heads=2, positions="rotary").build(6)


def test_places_past_the_last_learned_one_share_its_vector() -> None:
    learned = LearnedPositions(4, DIM)
    assert learned(torch.tensor([3, 4, 99])).equal(learned.table.weight[3].expand(3, DIM))


# Sublayers


def test_the_gated_network_equals_its_formula() -> None:
    torch.manual_seed(0)
    network, x = FeedForward(DIM, 6, "swiglu", 0.0), torch.randn(2, 3, DIM)
    gate, value = (network.inner.weight[:6] @ x[0, 0]), (network.inner.weight[6:] @ x[0, 0])
    expected = network.outer.weight @ (gate / (1 + (-gate).exp()) * value)
    torch.testing.assert_close(network(x)[0, 0], expected)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_residual_norms_before_or_after(norm_first: bool) -> None:
    torch.manual_seed(0)
    around = Residual(DIM, "rms", norm_first=norm_first, dropout=0.0)
    states, change = torch.randn(2, 3, DIM), torch.randn(2, 3, DIM)

    def rms(x: Tensor) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + torch.finfo(torch.float32).eps).sqrt()

    torch.testing.assert_close(around.before(states), rms(states) if norm_first else states)
    total = states + change
    torch.testing.assert_close(around.after(states, change), total if norm_first else rms(total))


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
    ours = TransformerDecoderLayer(settings, attention)
    randomise(ours)
    theirs = nn.TransformerDecoderLayer(DIM, HEADS, 6, 0.0, batch_first=True, norm_first=norm_first)
    copy_attention(
        theirs.self_attn, ours.self_attention.query_key_value, ours.self_attention.output
    )
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


# The whole model


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
        for place, token in enumerate(tokens):
            angles = [place / 10000 ** (2 * i / DIM) for i in range(DIM // 2)]
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


# The arithmetic of heads in half precision, which goes another way


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


def test_going_on_from_a_cache_equals_one_call() -> None:
    torch.manual_seed(0)
    attention, states = SelfAttention(DIM, HEADS, 0.0), torch.randn(3, 5, DIM)
    whole, _ = attention.continue_from(attention.empty_cache(states), states, None)
    first, cache = attention.continue_from(attention.empty_cache(states), states[:, :2], None)
    rest, cache = attention.continue_from(cache, states[:, 2:], None)
    torch.testing.assert_close(torch.cat([first, rest], 1), whole)
    assert cache.keys.shape == (3, HEADS, 5, DIM // HEADS)


def test_two_ways_on_from_one_cache_do_not_disturb_each_other() -> None:
    torch.manual_seed(0)
    attention, states = SelfAttention(DIM, HEADS, 0.0), torch.randn(3, 6, DIM)
    with torch.inference_mode():
        _, cache = attention.continue_from(attention.empty_cache(states), states[:, :2], None)
        _, cache = attention.continue_from(cache, states[:, 2:3], None)
        _, one = attention.continue_from(cache, states[:, 3:4], None)
        kept = one.keys.clone()
        _, other = attention.continue_from(cache, states[:, 4:5], None)
        assert one.room is cache.room and other.room is not cache.room
        assert one.keys.equal(kept) and not one.keys.equal(other.keys)
        for _ in range(20):
            _, other = attention.continue_from(other, states[:, 5:], None)
        assert other.keys.shape[2] == 24 and other.keys[:, :, :3].equal(cache.keys)


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
