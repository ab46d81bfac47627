"""The default recipe's size goes by the corpus."""

import pytest

from s2scli.config import DEFAULT_RECIPE, load_recipe
from s2scli.sizes import SIZES, size_for


@pytest.mark.parametrize(
    ("pairs", "width"), [(1, 128), (100_000, 128), (100_001, 256), (1_000_000, 256), (10**9, 512)]
)
def test_larger_corpora_get_larger_models(pairs: int, width: int) -> None:
    recipe = load_recipe(DEFAULT_RECIPE, size=size_for(pairs))
    for part in (recipe.model.encoder, recipe.model.decoder):
        assert part.model_dim == width
    assert recipe.model.target.embedding_dim == width


def test_the_table_grows() -> None:
    limits = [size.max_pairs for size in SIZES]
    assert limits == sorted(set(limits))


def test_the_recipe_as_it_stands_is_the_smallest_size() -> None:
    assert load_recipe(DEFAULT_RECIPE) == load_recipe(DEFAULT_RECIPE, size=SIZES[0])


def test_what_is_asked_for_comes_before_the_size() -> None:
    changes = ["model.encoder.model_dim=64", "model.encoder.num_heads=2"]
    encoder = load_recipe(DEFAULT_RECIPE, changes, SIZES[1]).model.encoder
    assert (encoder.model_dim, encoder.num_layers) == (64, SIZES[1].num_layers)
    other = load_recipe(DEFAULT_RECIPE, ["model.decoder.kind=gru"], SIZES[1]).model.decoder
    assert (other.kind, other.model_dim) == ("gru", 256)


def test_other_recipes_have_their_own_size() -> None:
    assert load_recipe("transformer-tiny", size=SIZES[-1]) == load_recipe("transformer-tiny")
