"""The parameters of `s2s tune`: every recipe has some, files are checked, values become changes."""

from pathlib import Path

import numpy as np
import pytest

from s2scli.config import Recipe, change_recipe, load_recipe, recipe_names
from s2scli.errors import ConfigError, MissingInputError
from s2scli.pipeline.space import (
    Parameter,
    Space,
    Value,
    assignments,
    near,
    own_values,
    read_space,
    rounded,
    space_of,
    space_text,
    used,
)
from s2scli.sizes import SIZES


def space_for(recipe: Recipe, *, small_corpus: bool = False) -> Space:
    text = recipe.model.source.kind == "tokens"
    return space_of(recipe, small_corpus=small_corpus, text=text)


def changed(recipe: Recipe, space: Space, values: dict[str, Value]) -> Recipe:
    return change_recipe(recipe.model_dump(mode="json"), assignments(space, values), "here")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_a_space_around_itself(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    space = space_for(recipe)
    assert {"learning_rate", "dropout"} <= space.keys()
    own = own_values(space, recipe)
    assert own is not None and own.keys() == space.keys()
    assert changed(recipe, space, own) == recipe
    (tmp_path / "space.toml").write_text(space_text(space))
    assert read_space(tmp_path / "space.toml", recipe) == space  # which checks both ends


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_default_recipe_of_every_corpus_size_has_a_space(size: object) -> None:
    recipe = load_recipe("default", size=size)  # type: ignore[arg-type]
    space = space_for(recipe)
    assert {"size", "ema_decay", "warmup_steps"} <= space.keys()
    assert own_values(space, recipe)


def test_on_a_small_corpus_the_number_of_batches_sets_their_size() -> None:
    recipe = load_recipe("default")
    assert "min_batches" in space_for(recipe, small_corpus=True)
    assert "min_batches" not in space_for(recipe)
    assert "batch_tokens" in space_for(recipe)


def test_a_score_that_smoothing_changes_is_not_tuned_by_smoothing() -> None:
    recipe = load_recipe("tiny", ["training.metric=loss"])
    assert "label_smoothing" not in space_for(recipe)
    assert "label_smoothing" in space_for(load_recipe("tiny"))


def test_a_size_changes_the_whole_model() -> None:
    recipe = load_recipe("lstm-attention")
    space = space_for(recipe)
    own = own_values(space, recipe)
    assert own and own["size"] == "small"
    tiny = changed(recipe, space, own | {"size": "tiny"})
    assert tiny == load_recipe("lstm-attention", ["model.size=tiny"])


def test_drawn_numbers_are_short() -> None:
    assert rounded(0.00123456) == 0.00123
    assert rounded(123456) == 123456
    assert rounded("gru") == "gru"


def test_only_values_of_ranges_are_rounded_and_stay_in_them() -> None:
    space = {
        "chosen": Parameter(settings=("training.ema_decay",), choices=(0.9985, 0.99991)),
        "drawn": Parameter(settings=("training.r_drop",), low=0.1234, high=0.9999),
        "whole": Parameter(settings=("training.batch_tokens",), low=1000, high=12345),
    }
    values = {"chosen": 0.99991, "drawn": 0.45678, "whole": 12345}
    assert used(space, values) == {**values, "drawn": 0.457}
    for end in (0.99989, 0.1234):  # 1.0 and 0.123 are outside
        assert used(space, {"drawn": end}) == {"drawn": end}


def test_near_values_are_in_the_space_and_move_a_little() -> None:
    space = {
        "rate": Parameter(settings=("a",), low=0.001, high=0.1, log=True),
        "width": Parameter(settings=("b",), low=8, high=512, log=True),
        "share": Parameter(settings=("c",), low=0.0, high=0.5),
        "batch": Parameter(settings=("d",), choices=(12, 25, 50, 100)),
        "only": Parameter(settings=("e",), choices=("one",)),
    }
    own: dict[str, Value] = {"rate": 0.003, "width": 8, "share": 0.5, "batch": 50, "only": "one"}
    other = {**own, "batch": 25, "rate": 0.1}
    found = [near(space, [own, other], np.random.default_rng(seed)) for seed in range(400)]
    for name, parameter in space.items():
        assert all(parameter.has(values[name]) for values in found)
        moved = [values[name] for values in found if values[name] != own[name]]
        assert name in ("only", "batch") or 0.35 < len(moved) / len(found) < 0.75
    assert {values["batch"] for values in found} == {25, 50}
    assert all(isinstance(values["width"], int) for values in found)
    rates = np.log([float(values["rate"]) for values in found if values["rate"] != own["rate"]])
    assert np.std(rates - np.log(0.003)) == pytest.approx(0.15 * np.log(100), rel=0.2)
    assert near(space, [own, other], np.random.default_rng(7)) == found[7]


def test_a_recipe_outside_a_space_has_no_own_values() -> None:
    recipe = load_recipe("tiny")
    rate = Parameter(settings=("training.optimizer.learning_rate",), low=0.1, high=0.2)
    assert own_values({"rate": rate}, recipe) is None
    both = Parameter(settings=("model.encoder.model_dim", "model.decoder.model_dim"), choices=(32,))
    assert own_values({"width": both}, recipe) is None  # they are 32 and 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no parameters"),
        ("x = 1", "x: expected a table"),
        ("[x]\nchoices = [1]", "settings: field required"),
        ('[x]\nsettings = ["training.seed"]', "either choices, or low and high"),
        ('[x]\nsettings = ["training.seed"]\nlow = 1', "low must be less than high"),
        ('[x]\nsettings = ["training.seed"]\nlow = 2\nhigh = 1', "found 2 and 1"),
        ('[x]\nsettings = ["training.seed"]\nlow = 0\nhigh = 1\nlog = true', "log = true"),
        ('[x]\nsettings = ["training.seed"]\nchoices = [1]\nlow = 0', "either choices"),
        ('[x]\nsettings = ["training.seed"]\nchoice = [1]', "did you mean choices?"),
        ('[x]\nsettings = ["training.sed"]\nchoices = [1]', "did you mean"),
        ('[x]\nsettings = ["training.seed"]\nchoices = [1, -1]', "greater than or equal to 0"),
        ('[x]\nsettings = ["training.label_smoothing"]\nlow = 0.0\nhigh = 1.0', "less than 1"),
        ('[x]\nsettings = ["model.size"]\nchoices = ["huge"]', "expected tiny, small, base"),
    ],
)
def test_a_wrong_space_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"space\.toml") as error:
        read_space(path, load_recipe("tiny"))
    assert message in str(error.value)


def test_a_missing_space_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"space\.toml: no such file"):
        read_space(tmp_path / "space.toml", load_recipe("tiny"))
