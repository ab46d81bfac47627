"""The named sizes: those of the recipes they are called after, and models that can be built."""

import pytest
import torch

from s2scli.config import load_recipe, recipe_names
from s2scli.errors import ConfigError
from s2scli.model.seq2seq import Seq2Seq, count_parameters
from s2scli.model.sizes import MODEL_SIZES


def parameters(recipe: str, *assignments: str) -> int:
    with torch.device("meta"):
        model = load_recipe(recipe, assignments).model
        reads = model.source.typical(1000)
        return count_parameters(Seq2Seq(model, reads, 1000, joint=reads == 1000))


@pytest.mark.parametrize(
    ("size", "recipe"),
    [
        ("tiny", "transformer-tiny"),
        ("small", "transformer-small"),
        ("small", "lstm-attention"),
        ("base", "vaswani2017"),
    ],
)
def test_a_size_is_that_of_its_recipe(size: str, recipe: str) -> None:
    assert load_recipe(recipe, [f"model.size={size}"]) == load_recipe(recipe)


@pytest.mark.parametrize("recipe", recipe_names())
def test_every_recipe_can_be_built_in_every_size(recipe: str) -> None:
    counts = [parameters(recipe, f"model.size={size}") for size in MODEL_SIZES]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize("encoder", ["gru", "transformer"])
@pytest.mark.parametrize("decoder", ["lstm", "transformer"])
@pytest.mark.parametrize("attention", ["multi_head", "scaled_dot", "dot", "additive"])
def test_a_size_fits_the_kinds_that_are_chosen_with_it(
    encoder: str, decoder: str, attention: str
) -> None:
    kinds = {"encoder": encoder, "decoder": decoder, "attention": attention}
    assignments = [f"model.{part}.kind={kind}" for part, kind in kinds.items()]
    if decoder == "transformer":
        assignments += ["model.attention.kind=multi_head", "model.connection.kind=none"]
    assert parameters("bahdanau2015", "model.size=base", *assignments) > 0


def test_other_settings_win_over_the_size_wherever_they_stand() -> None:
    for assignments in (
        ["model.size=tiny", "model.encoder.model_dim=77"],
        ["model.encoder.model_dim=77", "model.size=tiny"],
    ):
        model = load_recipe("elman", assignments).model
        assert (model.encoder.model_dim, model.decoder.model_dim) == (77, 256)


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^model.size: expected tiny, small, base, found 'huge'"):
        load_recipe("elman", ["model.size=huge"])
