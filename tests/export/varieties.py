"""Transformers of every variety that CTranslate2 can run, small and with random weights."""

from collections.abc import Sequence

import torch

from s2scli.export.settings import Recommended
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.settings import ModelSettings
from s2scli.settings import Tree, load_settings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.folders import letters_of
from tests.models import make_model, transformer_tree

LETTERS = "abcdefgh ij"
POSITIONS = 64
RECOMMENDED = Recommended(beam_size=5, length_penalty=1.0, no_repeat_ngram=0)
TEXTS = ("a", "abc", "hgfe dcba", "abab abab ab", "j i j", "ghij", "bad cab", "face", "hi")
TARGETS = ("b", "cab", "abcd", "gh", "jig a", "a", "fade", "hhhh", "bed")

_equal = {**transformer_tree(), "source": {"embedding_dim": 8}, "target": {"embedding_dim": 8}}
VARIETIES: dict[str, Tree] = {
    "pre-norm": transformer_tree(),
    "post-norm": transformer_tree(norm_first=False),
    "rms": transformer_tree(norm="rms"),
    "rms post-norm": transformer_tree(norm="rms", norm_first=False),
    "learned": transformer_tree(positions="learned", max_positions=6),
    "rotary": transformer_tree(positions="rotary"),
    "grid": transformer_tree(positions="grid", grid_columns=3),
    "rotary encoder": transformer_tree(encoder={"positions": "rotary"}),
    "gelu": transformer_tree(activation="gelu"),
    "silu": transformer_tree(activation="silu"),
    "swiglu": transformer_tree(activation="swiglu"),
    "two kinds": transformer_tree(encoder={"activation": "gelu", "norm_first": False}),
    "deep": transformer_tree(encoder={"num_layers": 4}, decoder={"num_layers": 1}),
    "two widths": transformer_tree(encoder={"model_dim": 12, "num_heads": 3}),
    "untied": _equal,
    "tied": {**_equal, "tie_embeddings": "all"},
}


MARIAN: dict[str, Tree] = {  # those that a MarianMTModel can be
    name: {**tree, "encoder": {**tree["encoder"], **post}, "decoder": {**tree["decoder"], **post}}
    for post in ({"norm_first": False},)
    for name, tree in (
        ("projected", VARIETIES["pre-norm"]),
        ("untied", _equal),
        ("target tied", {**_equal, "tie_embeddings": "target"}),
        ("tied", VARIETIES["tied"]),
        ("gelu", {**transformer_tree(activation="gelu"), "tie_embeddings": "none"}),
        ("silu", transformer_tree(activation="silu", decoder={"num_layers": 1})),
    )
}


def letters() -> Tokenizers:
    """The letters' tokenizer."""
    return letters_of([LETTERS])


def variety(tree: Tree, tokenizers: Tokenizers) -> tuple[ModelSettings, Seq2Seq]:
    """Return settings and a model that ends its sentences and never writes what it must not.

    So that it makes no difference whether such tokens have a share of the probability.
    """
    model = make_model(tree, tokenizers.target.vocab_size)
    with torch.no_grad():
        model.output.bias[[PAD_ID, BOS_ID]] = -1e4
        model.output.bias[EOS_ID] += 3.0
    return load_settings(ModelSettings, tree, "test"), model


def ids_of(texts: Sequence[str], tokenizers: Tokenizers) -> list[list[int]]:
    """Return the ids of texts."""
    return tokenizers.texts[0].encode_many(texts)
