"""What recipes there are, and what one resolves to."""

import pytest

from s2scli.config import Recipe, load_recipe, recipes_with_attention
from s2scli.model.seq2seq import Seq2Seq, count_parameters
from s2scli.pipeline.inspect_recipe import (
    estimate_footprint,
    list_combinations,
    list_recipes,
    resolve_settings,
)


def test_recipes_are_told_apart_by_their_attention() -> None:
    names = recipes_with_attention()
    assert {"bahdanau2015", "luong2015"} <= set(names)
    assert {"elman", "sutskever2014", "cho2014"}.isdisjoint(names)


def test_only_settings_of_the_chosen_kinds_are_resolved() -> None:
    recipe = load_recipe("bahdanau2015")
    resolved = {one.path: one for one in resolve_settings(recipe)}
    assert resolved["model.attention.kind"].value == "additive"
    assert resolved["model.attention.attention_dim"].value > 0
    assert "model.attention.num_heads" not in resolved
    assert resolved["training.limits.max_steps"].text in ("none", "null")


def test_the_footprint_is_that_of_the_model_and_its_training() -> None:
    recipe = load_recipe("tiny", ["training.optimizer.kind=sgd"])
    model = Seq2Seq(recipe.model, 50, 50, joint=True)
    found = estimate_footprint(recipe, 50)
    assert (found.vocab_size, found.parameters) == (50, count_parameters(model))
    assert found.bytes == 4 * 2 * found.parameters  # weights and gradients
    adam = load_recipe("tiny", ["training.optimizer.kind=adam", "training.ema_decay=0.9"])
    assert estimate_footprint(adam, 50).bytes == 4 * 5 * found.parameters


def test_every_recipe_is_listed_by_its_name() -> None:
    names = [recipe.name for recipe in list_recipes()]
    assert names == sorted(names)
    assert {"default", "vaswani2017"} <= set(names)


@pytest.mark.slow
def test_combinations_are_those_of_the_model() -> None:
    matrix = list_combinations()
    assert 0 < len(matrix.possible) < matrix.total


def test_a_kind_has_the_default_of_its_section_and_others_that_of_their_declaration() -> None:
    resolved = {one.path: one for one in resolve_settings(load_recipe("transformer-tiny"))}
    kind, layers = resolved["model.encoder.kind"], resolved["model.encoder.num_layers"]
    assert (kind.text, kind.default, kind.is_default) == ('"transformer"', '"gru"', False)
    assert layers.default == layers.row.default
    assert all(one.is_default for one in resolve_settings(Recipe()))
