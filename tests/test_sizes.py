"""The default recipe is made of what suits the size of the corpus."""

import pytest

from s2scli.config import DEFAULT_RECIPE, load_recipe, recipe_names
from s2scli.sizes import SIZES, Size, size_for


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_is_the_recipe_of_its_row_with_its_changes_and_the_average(size: Size) -> None:
    found, base = load_recipe(DEFAULT_RECIPE, size=size), load_recipe(size.recipe)
    for part in (found.model.encoder, found.model.decoder):
        assert part.dropout == size.dropout
    changes = [*size.assignments(), "training.ema_decay=0.999"]
    base = load_recipe(size.recipe, changes)
    assert (found.model, found.training) == (base.model, base.training)
    assert found.name == DEFAULT_RECIPE
    assert size.recipe in recipe_names()


def test_the_corpus_decides() -> None:
    assert size_for(1) == size_for(20_000) == SIZES[0] == size_for(0)
    assert size_for(20_001) == size_for(50_000) == SIZES[1]
    assert size_for(50_001) == SIZES[2]
    assert size_for(10**9) == SIZES[-1]


def test_the_table_grows() -> None:
    limits = [size.max_pairs for size in SIZES]
    assert limits == sorted(set(limits))


def test_without_a_corpus_it_is_that_of_thousands_of_pairs() -> None:
    assert load_recipe(DEFAULT_RECIPE) == load_recipe(DEFAULT_RECIPE, size=size_for(29_000))


def test_little_data_have_more_label_smoothing() -> None:
    smoothing = [
        load_recipe(DEFAULT_RECIPE, size=size_for(pairs)).training.label_smoothing
        for pairs in (10_000, 29_000)
    ]
    assert smoothing == [0.3, 0.1]
    assert str(SIZES[0]) == "lstm-attention with dropout 0.3 and label smoothing 0.3"


def test_what_is_asked_for_comes_before_the_size() -> None:
    changes = ["model.encoder.dropout=0.05", "training.ema_decay=0"]
    recipe = load_recipe(DEFAULT_RECIPE, changes, SIZES[2])
    assert (recipe.model.encoder.dropout, recipe.model.decoder.dropout) == (0.05, 0.2)
    assert recipe.training.ema_decay == 0
    other = load_recipe(DEFAULT_RECIPE, ["model.decoder.kind=transformer"], SIZES[2]).model.decoder
    assert (other.kind, other.dropout) == ("transformer", 0.1)


def test_other_recipes_have_their_own_size() -> None:
    assert load_recipe("transformer-tiny", size=SIZES[-1]) == load_recipe("transformer-tiny")
