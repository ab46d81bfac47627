"""Build the ONNX graphs of a Transformer from our weights: its encoder, and steps of its decoder.

Axes: B sentences, S source tokens, Q new target tokens of each sentence (of all its hypotheses), P
earlier ones, D model, H heads, K head width, V vocabulary. Linear weights are stored as they are
multiplied, [input, output].

The graphs know no search. A sentence has one cache for all its hypotheses, and `sight` says which
of its tokens each new token may read, so that a beam copies neither the memory nor the caches.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.export.extra import require_onnx
from s2scli.model.frontend.tokens import TABLE
from s2scli.model.settings import ModelSettings
from s2scli.model.transformer.settings import TransformerSettings

OPSET, IR_VERSION = 17, 8  # the first with LayerNormalization, and the format of its year
TIMESCALE = 10000.0
BYTES = 4  # of a weight

Weights = Mapping[str, Tensor]
Model = Any  # an onnx.ModelProto
Axes = Sequence[str | int]


class Graph:
    """A graph under construction. Values are known by their names.

    Args:
        weights: the weights of the model, by name.
    """

    def __init__(self, weights: Weights) -> None:
        self._onnx = require_onnx()
        self.weights = weights
        self.bytes = 0
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._stored: dict[tuple[object, ...], str] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, type: type[np.generic], axes: Axes) -> str:
        """Declare an input; an axis of any size has a name."""
        self._inputs.append(self._described(name, type, axes))
        return name

    def output(self, name: str, axes: Axes) -> None:
        """Declare the value of this name as an output."""
        self._outputs.append(self._described(name, np.float32, axes))

    def add(self, operator: str, *inputs: str, called: str = "", **attributes: object) -> str:
        """Add an operator with one output, and return the output, of the name `called` if given."""
        name = called or f"{operator}.{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def split(self, values: str, parts: int) -> list[str]:
        """Split values along their last axis into equal parts."""
        names = [f"Split.{len(self._nodes)}.{part}" for part in range(parts)]
        self._nodes.append(self._onnx.helper.make_node("Split", [values], names, axis=-1))
        return names

    def weight(self, name: str, *, transposed: bool = False) -> str:
        """Return a weight; weights that are tied are stored once."""
        tensor = self.weights[name].detach()
        key = (tensor.data_ptr(), tuple(tensor.shape), transposed)
        if key not in self._stored:
            values = tensor.float().t() if transposed else tensor.float()
            self._stored[key] = self._store(name, values.contiguous().numpy())
        return self._stored[key]

    def constant(self, *values: float, type: type[np.generic] = np.float32) -> str:
        """Return a vector of numbers, or a scalar if there is one."""
        array = np.asarray(values, type)
        return self.array(array[0] if len(values) == 1 else array)

    def array(self, values: "NDArray[Any] | np.generic") -> str:
        """Return a constant array."""
        array = np.asarray(values)
        key = (array.tobytes(), array.shape, array.dtype)
        if key not in self._stored:
            self._stored[key] = self._store(f"constant.{len(self._stored)}", array)
        return self._stored[key]

    def model(self, name: str) -> Model:
        """Return the finished model."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, self._initializers
        )
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, producer_name="s2s", opset_imports=opset, ir_version=IR_VERSION
        )

    def _store(self, name: str, array: "NDArray[Any]") -> str:
        self.bytes += array.nbytes
        self._initializers.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def _described(self, name: str, type: type[np.generic], axes: Axes) -> Any:
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(type))
        return self._onnx.helper.make_tensor_value_info(name, kind, axes)


def encoder_graph(settings: ModelSettings, weights: Weights) -> Graph:
    """Return the graph of the encoder.

    It reads `source` [B, S], token ids with their end tokens, and `memory_mask` [B, S], True at
    real tokens. It returns `memory` [B, S, D], and for each layer i of the decoder the keys and
    values that it attends to, `memory.i.key` and `memory.i.value` [B, H, S, K].
    """
    encoder, attention = settings.encoder, settings.attention
    assert encoder.kind == settings.decoder.kind == "transformer"
    assert attention.kind == "multi_head"
    graph = Graph(weights)
    source = graph.input("source", np.int64, ("sentences", "source"))
    mask = graph.input("memory_mask", np.bool_, ("sentences", "source"))
    mask = graph.add("Unsqueeze", mask, graph.array(np.array([1, 2])))  # [B, 1, 1, S]
    length = graph.add("Gather", graph.add("Shape", source), graph.constant(1, type=np.int64))
    zero, one = (graph.constant(number, type=np.int64) for number in (0, 1))
    positions = graph.add("Range", zero, length, one)  # [S]
    states, turns = _enter(graph, encoder, "encoder", source, positions)
    for number in range(encoder.num_layers):
        layer = f"encoder.layers.{number}"
        before = _before(graph, encoder, states, f"{layer}.around_self_attention")
        query, key, value = _project(graph, before, f"{layer}.self_attention", encoder, turns)
        read = _attend(graph, query, key, value, mask, encoder.head_dim)
        change = _linear(graph, read, f"{layer}.self_attention.output")
        states = _after(graph, encoder, states, change, f"{layer}.around_self_attention")
        states = _feed_forward(graph, encoder, states, layer)
    memory = _last_norm(graph, encoder, states, "encoder")
    heads, width = attention.num_heads, settings.decoder.model_dim // attention.num_heads
    graph.output(
        graph.add("Identity", memory, called="memory"), ("sentences", "source", encoder.model_dim)
    )
    for number in range(settings.decoder.num_layers):
        merged = _linear(graph, memory, f"decoder.layers.{number}.attention.key_value")
        for name, part in zip(("key", "value"), graph.split(merged, 2), strict=True):
            split = _split_heads(graph, part, heads, width, f"memory.{number}.{name}")
            graph.output(split, ("sentences", heads, "source", width))
    return graph


def decoder_graph(settings: ModelSettings, weights: Weights) -> Graph:
    """Return the graph of steps of the decoder.

    It reads `tokens` [B, Q], the token ids to read; `positions` [Q], their positions in their
    outputs, from 0; `sight` [B, Q, P + Q], True where a token may read one of the cache or a new
    one; `memory_mask` and the keys and values of the encoder; and the caches `past.i.key` and
    `past.i.value` [B, H, P, K] of each layer i, at first with P = 0. It returns `logits` [B, Q, V],
    the caches with the new tokens, `present.i.key` and `present.i.value`, and what each head of a
    layer attends to, `attention.i` [B, H, Q, S].
    """
    decoder, attention = settings.decoder, settings.attention
    assert decoder.kind == "transformer" and attention.kind == "multi_head"
    graph = Graph(weights)
    tokens = graph.input("tokens", np.int64, ("sentences", "tokens"))
    positions = graph.input("positions", np.int64, ("tokens",))
    sight = graph.input("sight", np.bool_, ("sentences", "tokens", "past and tokens"))
    mask = graph.input("memory_mask", np.bool_, ("sentences", "source"))
    sight = graph.add("Unsqueeze", sight, graph.array(np.array([1])))  # [B, 1, Q, P + Q]
    mask = graph.add("Unsqueeze", mask, graph.array(np.array([1, 2])))  # [B, 1, 1, S]
    states, turns = _enter(graph, decoder, "decoder", tokens, positions)
    heads, width = attention.num_heads, decoder.model_dim // attention.num_heads
    for number in range(decoder.num_layers):
        layer = f"decoder.layers.{number}"
        states = _read_own(graph, decoder, states, number, turns, sight)
        before = _before(graph, decoder, states, f"{layer}.around_attention")
        query = _linear(graph, before, f"{layer}.attention.query")
        query = _split_heads(graph, query, heads, width)
        axes = ("sentences", heads, "source", width)
        names = (f"memory.{number}.{name}" for name in ("key", "value"))
        key, value = (graph.input(name, np.float32, axes) for name in names)
        read = _attend(graph, query, key, value, mask, width, f"attention.{number}")
        graph.output(f"attention.{number}", ("sentences", heads, "tokens", "source"))
        change = _linear(graph, read, f"{layer}.attention.output")
        states = _after(graph, decoder, states, change, f"{layer}.around_attention")
        states = _feed_forward(graph, decoder, states, layer)
    states = _last_norm(graph, decoder, states, "decoder")
    _write_logits(graph, tokens, states)
    return graph


def _read_own(
    graph: Graph,
    decoder: TransformerSettings,
    states: str,
    number: int,
    turns: Sequence[str],
    sight: str,
) -> str:
    """Add the self-attention of a layer over its cache and the new tokens, and return the states.

    Args:
        graph: the graph.
        decoder: the settings of the decoder.
        states: [B, Q, D].
        number: the number of the layer.
        turns: cosines and sines of rotary positions, or nothing.
        sight: [B, 1, Q, P + Q].
    """
    layer = f"decoder.layers.{number}"
    before = _before(graph, decoder, states, f"{layer}.around_self_attention")
    query, *new = _project(graph, before, f"{layer}.self_attention", decoder, turns)
    axes = ("sentences", decoder.num_heads, "past", decoder.head_dim)
    together = ("sentences", decoder.num_heads, "past and tokens", decoder.head_dim)
    caches = []
    for name, values in zip(("key", "value"), new, strict=True):
        past = graph.input(f"past.{number}.{name}", np.float32, axes)
        cache = graph.add("Concat", past, values, called=f"present.{number}.{name}", axis=2)
        graph.output(cache, together)
        caches.append(cache)
    read = _attend(graph, query, caches[0], caches[1], sight, decoder.head_dim)
    change = _linear(graph, read, f"{layer}.self_attention.output")
    return _after(graph, decoder, states, change, f"{layer}.around_self_attention")


def _enter(
    graph: Graph, settings: TransformerSettings, side: str, tokens: str, positions: str
) -> tuple[str, list[str]]:
    """Return states [B, T, D] of tokens, and the cosines and sines of rotary positions, if any.

    Args:
        graph: the graph.
        settings: the settings of the encoder or decoder.
        side: encoder or decoder.
        tokens: [B, T].
        positions: [T].
    """
    table = f"{'source' if side == 'encoder' else 'target'}.{TABLE}"
    scale = graph.constant(math.sqrt(graph.weights[table].shape[1]))
    states = graph.add("Mul", graph.add("Gather", graph.weight(table), tokens), scale)
    if f"{side}.entrance.project.weight" in graph.weights:
        states = _linear(graph, states, f"{side}.entrance.project")
    if settings.positions == "rotary":
        angles = _angles(graph, positions, settings.head_dim)
        return states, [graph.add("Cos", angles), graph.add("Sin", angles)]
    learned = f"{side}.entrance.learned"
    if settings.positions == "learned":
        vectors = _look_up(graph, positions, f"{learned}.table.weight")
    elif settings.positions == "grid":
        columns = graph.constant(settings.grid_columns, type=np.int64)
        row, column = (graph.add(operator, positions, columns) for operator in ("Div", "Mod"))
        rows = _look_up(graph, row, f"{learned}.row.table.weight")
        vectors = graph.add("Add", rows, _look_up(graph, column, f"{learned}.column.table.weight"))
    else:
        vectors = _sinusoids(graph, positions, settings.model_dim)
    return graph.add("Add", states, vectors), []


def _angles(graph: Graph, positions: str, dim: int) -> str:
    """Return the angles of positions [T], [T, dim / 2]; see `positions.rotary_angles`."""
    frequencies = TIMESCALE ** -(torch.arange(0, dim, 2) / dim)
    column = graph.add("Unsqueeze", positions, graph.array(np.array([1])))
    return graph.add(
        "Mul", graph.add("Cast", column, to=1), graph.array(frequencies.float().numpy())
    )


def _sinusoids(graph: Graph, positions: str, dim: int) -> str:
    """Return the encodings of positions [T], [T, dim]; see `positions.sinusoids`."""
    angles = _angles(graph, positions, 2 * ((dim + 1) // 2))
    waves = graph.add("Concat", graph.add("Sin", angles), graph.add("Cos", angles), axis=1)
    if dim % 2 == 0:
        return waves
    ends = (graph.array(np.array([number])) for number in (0, dim, 1))
    return graph.add("Slice", waves, *ends)


def _look_up(graph: Graph, positions: str, table: str) -> str:
    """Return learned vectors of positions [T], [T, D]; those past the last one share it."""
    last = graph.constant(len(graph.weights[table]) - 1, type=np.int64)
    return graph.add("Gather", graph.weight(table), graph.add("Min", positions, last))


def _project(
    graph: Graph, states: str, name: str, settings: TransformerSettings, turns: Sequence[str]
) -> list[str]:
    """Return queries, keys and values of self-attention, each [B, H, T, K]."""
    merged = _linear(graph, states, f"{name}.query_key_value")
    heads = [
        _split_heads(graph, one, settings.num_heads, settings.head_dim)
        for one in graph.split(merged, 3)
    ]
    if not turns:
        return heads
    return [*(_rotate(graph, one, *turns) for one in heads[:2]), heads[2]]


def _rotate(graph: Graph, values: str, cosines: str, sines: str) -> str:
    """Rotate units i and i + K/2 of values [B, H, T, K] by angles; see `positions.rotate`."""
    first, second = graph.split(values, 2)
    left = graph.add("Sub", graph.add("Mul", first, cosines), graph.add("Mul", second, sines))
    right = graph.add("Add", graph.add("Mul", first, sines), graph.add("Mul", second, cosines))
    return graph.add("Concat", left, right, axis=-1)


def _attend(
    graph: Graph, query: str, key: str, value: str, mask: str, width: int, called: str = ""
) -> str:
    """Return what attention reads, [B, Q, H x K] (Vaswani et al. 2017, eq. 1).

    Args:
        graph: the graph.
        query: [B, H, Q, K].
        key: [B, H, S, K].
        value: [B, H, S, K].
        mask: True where a query may attend, broadcast to [B, H, Q, S].
        width: the width of a head, K.
        called: the name of the weights [B, H, Q, S].
    """
    keys = graph.add("Transpose", key, perm=[0, 1, 3, 2])
    root = graph.constant(math.sqrt(width))
    scores = graph.add("MatMul", graph.add("Div", query, root), keys)
    seen = graph.add("Where", mask, scores, graph.constant(-math.inf))
    weights = graph.add("Softmax", seen, called=called, axis=-1)
    read = graph.add("Transpose", graph.add("MatMul", weights, value), perm=[0, 2, 1, 3])
    return graph.add("Reshape", read, graph.array(np.array([0, 0, -1])))


def _split_heads(graph: Graph, values: str, heads: int, width: int, called: str = "") -> str:
    """Reshape [B, T, H x K] to [B, H, T, K], of the name `called` if given."""
    apart = graph.add("Reshape", values, graph.array(np.array([0, 0, heads, width])))
    return graph.add("Transpose", apart, called=called, perm=[0, 2, 1, 3])


def _feed_forward(graph: Graph, settings: TransformerSettings, states: str, layer: str) -> str:
    """Add the feed-forward network of a layer, and return the states."""
    before = _before(graph, settings, states, f"{layer}.around_feed_forward")
    inner = _linear(graph, before, f"{layer}.feed_forward.inner")
    if settings.activation == "relu":
        active = graph.add("Relu", inner)
    elif settings.activation == "gelu":
        half = graph.add("Erf", graph.add("Div", inner, graph.constant(math.sqrt(2))))
        active = graph.add("Mul", inner, graph.add("Add", half, graph.constant(1)))
        active = graph.add("Mul", active, graph.constant(0.5))
    elif settings.activation == "silu":
        active = _silu(graph, inner)
    else:
        gate, value = graph.split(inner, 2)
        active = graph.add("Mul", _silu(graph, gate), value)
    change = _linear(graph, active, f"{layer}.feed_forward.outer")
    return _after(graph, settings, states, change, f"{layer}.around_feed_forward")


def _silu(graph: Graph, values: str) -> str:
    return graph.add("Mul", values, graph.add("Sigmoid", values))


def _linear(graph: Graph, values: str, name: str) -> str:
    """Map [..., input] to [..., output]."""
    product = graph.add("MatMul", values, graph.weight(f"{name}.weight", transposed=True))
    return graph.add("Add", product, graph.weight(f"{name}.bias"))


def _before(graph: Graph, settings: TransformerSettings, states: str, name: str) -> str:
    """Return the input of a sublayer; see `Residual.before`."""
    return _norm(graph, settings, states, f"{name}.norm") if settings.norm_first else states


def _after(graph: Graph, settings: TransformerSettings, states: str, change: str, name: str) -> str:
    """Add the output of a sublayer to the states; see `Residual.after`."""
    total = graph.add("Add", states, change)
    return total if settings.norm_first else _norm(graph, settings, total, f"{name}.norm")


def _last_norm(graph: Graph, settings: TransformerSettings, states: str, side: str) -> str:
    return _norm(graph, settings, states, f"{side}.norm") if settings.norm_first else states


def _norm(graph: Graph, settings: TransformerSettings, states: str, name: str) -> str:
    """Normalize states [B, T, D]."""
    weight = graph.weight(f"{name}.weight")
    if settings.norm == "layer":
        bias, epsilon = graph.weight(f"{name}.bias"), settings.epsilon
        return graph.add("LayerNormalization", states, weight, bias, axis=-1, epsilon=epsilon)
    square = graph.add("ReduceMean", graph.add("Mul", states, states), axes=[-1], keepdims=1)
    root = graph.add("Sqrt", graph.add("Add", square, graph.constant(settings.epsilon)))
    return graph.add("Mul", graph.add("Div", states, root), weight)


def _write_logits(graph: Graph, tokens: str, states: str) -> None:
    """Add the output layer. Its product reads the weight as stored, as it may be the embeddings."""
    dim = graph.weights["output.weight"].shape[1]
    rows = graph.add("Reshape", states, graph.array(np.array([-1, dim])))
    weight, bias = graph.weight("output.weight"), graph.weight("output.bias")
    logits = graph.add("Gemm", rows, weight, bias, transB=1)  # [B x Q, V]
    shape = graph.add("Concat", graph.add("Shape", tokens), graph.array(np.array([-1])), axis=0)
    vocab_size = len(graph.weights["output.weight"])
    shaped = graph.add("Reshape", logits, shape, called="logits")
    graph.output(shaped, ("sentences", "tokens", vocab_size))
