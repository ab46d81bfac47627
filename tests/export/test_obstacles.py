"""A model that is not a plain Transformer of text is refused by the name of its part."""

import pytest

from s2scli.export.obstacles import transformer_obstacles
from s2scli.model.settings import ModelSettings
from s2scli.settings import Tree, load_settings
from tests.export.varieties import VARIETIES
from tests.models import model_tree, transformer_tree


def obstacles(tree: Tree) -> list[str]:
    return transformer_obstacles(load_settings(ModelSettings, tree, "test"), "It")


@pytest.mark.parametrize("name", VARIETIES)
def test_a_plain_transformer_has_none(name: str) -> None:
    assert obstacles(VARIETIES[name]) == []


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ({"source": {"kind": "audio"}}, "the source is audio, and It reads text only"),
        (model_tree(), "the encoder is recurrent (gru), and It runs Transformers only"),
        (
            {**transformer_tree(), "decoder": model_tree("gru", "lstm")["decoder"]},
            "the decoder is recurrent (lstm), and It runs Transformers only",
        ),
        (
            {**transformer_tree(), "output": {"kind": "pointer"}},
            "it cannot copy tokens of the source (model.output.kind pointer)",
        ),
        (transformer_tree("dot"), "its decoders use multi-head attention, not dot"),
        (
            {**transformer_tree(), "connection": {"kind": "mean", "every_step": True}},
            "its decoders see the source only through attention, not through a connection (mean)",
        ),
    ],
)
def test_what_differs_is_named(tree: Tree, reason: str) -> None:
    assert obstacles(tree) == [reason]


def test_all_that_differs_is_named() -> None:
    tree = {**transformer_tree("additive"), "output": {"kind": "pointer"}}
    assert len(obstacles(tree)) == 2
