"""Small models of every kind, for tests."""

from collections.abc import Hashable, Iterator, Sequence
from typing import cast, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.data.batch import Batch, make_batch, make_source
from s2scli.data.example import Values
from s2scli.model.recurrence import Cell
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.settings import ModelSettings
from s2scli.settings import Tree, load_settings
from tests.covering import slow_unless_covering

CELLS: tuple[str, ...] = get_args(Cell)
ATTENTIONS = ("additive", "dot", "general", "scaled_dot", "multi_head", "none")
VOCAB_SIZE = 11


def model_tree(
    encoder: str = "gru",
    decoder: str = "gru",
    attention: str = "additive",
    **decoder_settings: object,
) -> Tree:
    """Settings of a model of 8 units, bidirectional, whose parts always fit together."""
    attention_tree: Tree = {"kind": attention}
    if attention in ("additive", "scaled_dot"):
        attention_tree["attention_dim"] = 6
    if attention == "multi_head":
        attention_tree["num_heads"] = 2
    return {
        "source": {"embedding_dim": 5},
        "target": {"embedding_dim": 5},
        "encoder": {"kind": encoder, "model_dim": 4},
        "attention": attention_tree,
        "decoder": {"kind": decoder, "model_dim": 8, **decoder_settings},
        "tie_embeddings": "none",
    }


def transformer_tree(
    attention: str = "multi_head",
    encoder: Tree | None = None,
    decoder: Tree | None = None,
    **both: object,
) -> Tree:
    """Settings of a Transformer of 8 units and two layers; `both` is for either side."""
    tree = model_tree(attention=attention)
    stack = {"kind": "transformer", "model_dim": 8, "num_layers": 2, "num_heads": 2, "ffn_dim": 6}
    tree["encoder"] = {**stack, **both, **(encoder or {})}
    tree["decoder"] = {**stack, **both, **(decoder or {})}
    tree["connection"] = {"kind": "none"}
    if attention == "none":
        tree["connection"] = {"kind": "mean", "every_step": True}
    return tree


def make_model(tree: Tree, vocab_size: int = VOCAB_SIZE, seed: int = 0) -> Seq2Seq:
    """Return the model in evaluation mode, with weights large enough to have opinions."""
    torch.manual_seed(seed)
    model = Seq2Seq(load_settings(ModelSettings, tree, "test"), vocab_size, vocab_size, joint=True)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.0)
    return model.eval()


def all_models() -> Iterator[tuple[str, Tree]]:
    """Yield a name and the settings of every encoder, decoder and attention, in both orders."""
    for cell in CELLS:
        for attention in ATTENTIONS:
            yield f"{cell}-{attention}-after", model_tree(cell, cell, attention)
        yield f"{cell}-before", model_tree(cell, cell, "additive", attend="before")
        yield f"{cell}-feeding", model_tree(cell, cell, "general", input_feeding=True)
    for encoder in CELLS:
        for decoder in CELLS:
            if encoder != decoder:
                yield f"{encoder}-{decoder}", model_tree(encoder, decoder)
    yield "layers", model_tree("lstm", "gru", "dot", num_layers=3)
    yield (
        "maxout",
        model_tree("gru", "lstm", "additive", attend="before", readout="maxout", deep_output=True),
    )
    for kind in ("projected", "mean", "max"):
        tree = model_tree("gru", "gru", "none", readout="maxout")
        yield f"{kind}-every-step", {**tree, "connection": {"kind": kind, "every_step": True}}
    for attention in ATTENTIONS:
        yield f"transformer-{attention}", transformer_tree(attention)
    for positions in ("learned", "rotary", "grid"):
        yield f"transformer-{positions}", transformer_tree(positions=positions, grid_columns=2)
    for activation in ("gelu", "silu", "swiglu"):
        yield f"transformer-{activation}", transformer_tree(activation=activation)
    yield "transformer-post-rms", transformer_tree(norm="rms", norm_first=False)
    ssru: Tree = {"kind": "ssru", "model_dim": 8, "num_layers": 2, "ffn_dim": 6}
    for attention in ("multi_head", "none"):
        yield f"ssru-{attention}", {**transformer_tree(attention), "decoder": ssru}
    mixed = {**model_tree("lstm", attention="multi_head"), "connection": {"kind": "none"}}
    yield "ssru-lstm", {**mixed, "decoder": {**ssru, "positions": "learned"}}
    yield "transformer-deep-shallow", transformer_tree(decoder={"num_layers": 1})
    yield "grid", model_tree("gru", "lstm", "none", grid_columns=2)
    yield "grid-feeding", model_tree("gru", "gru", grid_columns=2, input_feeding=True)
    latent: Tree = {"kind": "latent", "latent_dim": 6}
    for cell in CELLS:
        yield f"latent-{cell}", {**model_tree(cell, cell, "none"), "connection": latent}
    once = {**latent, "summary": "max", "every_step": False}
    yield "latent-once", {**model_tree("gru", "lstm", "none", num_layers=2), "connection": once}
    tree = transformer_tree("none")
    yield "latent-transformer", {**tree, "connection": {**latent, "summary": "mean"}}
    yield "latent-attention", {**model_tree(), "connection": latent}
    tree = model_tree()
    tree["attention"]["coverage"] = True
    yield "coverage", tree
    tree = model_tree("lstm", "gru", attend="before", input_feeding=True)
    tree["attention"]["coverage"] = True
    yield "coverage-before", tree
    yield "none-connection", {**model_tree(), "connection": {"kind": "none"}}
    last = model_tree("lstm", "lstm", "none", readout="state")
    yield "last", {**last, "connection": {"kind": "last"}}
    last = model_tree("lstm", "lstm", "general")
    last["encoder"] |= {"bidirectional": False, "model_dim": 8, "reverse": True}
    yield "reversed", {**last, "connection": {"kind": "last", "every_step": True}}


def flat(tree: Tree, prefix: str = "") -> dict[str, Hashable]:
    """Return the settings of a tree by their dotted names."""
    found: dict[str, Hashable] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= flat(cast(Tree, value), f"{prefix}{name}.")
        else:
            found[prefix + name] = cast(Hashable, value)
    return found


def all_copying_models() -> Iterator[tuple[str, Tree]]:
    """Yield a name and the settings of models that copy, of every kind of decoder."""
    pointer: Tree = {"output": {"kind": "pointer"}}
    covering: Tree = {"attention": {"kind": "additive", "attention_dim": 6, "coverage": True}}
    yield "pointer-after", {**model_tree(), **pointer}
    yield "pointer-before", {**model_tree("lstm", "lstm", attend="before"), **pointer}
    yield (
        "pointer-feeding",
        {**model_tree("gru", "elman", "multi_head", input_feeding=True), **pointer},
    )
    yield "pointer-coverage", {**model_tree(), **covering, **pointer}
    yield "pointer-transformer", {**transformer_tree(), **pointer}


MODELS = dict(all_models())
COPYING_MODELS = dict(all_copying_models())
# For what knows a model by its four verbs alone: a few models with every value of every setting;
# `-m slow` runs the others.
each_model = pytest.mark.parametrize(
    "tree",
    [
        pytest.param(tree, id=name, marks=marks)
        for (name, tree), marks in zip(
            MODELS.items(),
            slow_unless_covering([*map(flat, MODELS.values())], strength=1),
            strict=True,
        )
    ],
)


def ids(*tokens: int) -> NDArray[np.int32]:
    """Token ids as the corpus holds them."""
    return np.array(tokens, dtype=np.int32)


def pad_copying(sources: Sequence[Values]) -> tuple[Tensor, Tensor]:
    """Pad sources of a joint vocabulary, where ids from VOCAB_SIZE on are of unknown pieces."""
    padded, lengths = make_source(sources)
    first = (padded[:, :, None] == padded[:, None]).byte().argmax(-1)
    copies = torch.where(padded < VOCAB_SIZE, padded, VOCAB_SIZE + first)
    return torch.stack([padded, copies], -1), lengths


def copying_batch() -> Batch:
    """The small batch, with two unknown pieces in the first source that its target copies."""
    one, other = VOCAB_SIZE, VOCAB_SIZE + 1
    return make_batch(
        [ids(4, one, 6, other, one), ids(8, 9), ids(10, 4, 4)],
        [ids(-1 - other, -1 - one), ids(9, 8, 10, 6), ids(7)],
        pad_copying,
    )


def small_batch() -> Batch:
    """Three pairs of different lengths over ids 4 to 10."""
    return make_batch(
        [ids(4, 5, 6, 7), ids(8, 9), ids(10, 4, 4)], [ids(5, 4), ids(9, 8, 10, 6), ids(7)]
    )
