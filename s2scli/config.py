"""Recipes: named settings for the model, training and search, saved with each model."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Self

from pydantic import model_validator

from s2scli.errors import ConfigError
from s2scli.metrics import METRICS
from s2scli.model.settings import ModelSettings
from s2scli.model.sizes import MODEL_SIZES, sized
from s2scli.recipes import recipe_names as recipe_names
from s2scli.search.settings import SearchSettings
from s2scli.settings import (
    SettingRow,
    Settings,
    Tree,
    list_settings,
    load_settings,
    override,
    read_toml,
    setting,
    write_toml,
)
from s2scli.sizes import SIZES, Size
from s2scli.training.settings import TrainingSettings
from s2scli.training.stopping import Criterion

CRITERIA: dict[str, Criterion] = {
    "loss": Criterion("loss", higher_is_better=False),
    **{name: Criterion(name, metric.higher_is_better) for name, metric in METRICS.items()},
}


class Recipe(Settings):
    """All settings of a model: its architecture, its training and its search."""

    name: str = setting("", "The name of the recipe.")
    paper: str = setting("", "The paper that the recipe follows.")
    description: str = setting("", "One sentence that describes the recipe.")
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    search: SearchSettings = SearchSettings()

    @model_validator(mode="after")
    def _check_metric(self) -> Self:
        name = self.training.metric
        if name not in CRITERIA:
            raise ValueError(
                f"training.metric: unknown validation score {name!r}; "
                f"{_nearest(name, CRITERIA)}expected one of {', '.join(CRITERIA)}"
            )
        return self

    @property
    def criterion(self) -> Criterion:
        """The validation score that selects the best checkpoint."""
        return CRITERIA[self.training.metric]


DEFAULT_RECIPE = "default"
SIZE = "model.size"


def load_recipe(
    name_or_path: str, assignments: Sequence[str] = (), size: Size = SIZES[0]
) -> Recipe:
    """Load a built-in recipe or a TOML file, and apply `section.key=value` assignments.

    Args:
        name_or_path: a built-in recipe's name, or the path of a TOML file.
        assignments: `section.key=value` changes to the recipe.
        size: the corpus size that selects the settings of the default recipe; other recipes
            ignore it.

    Raises:
        MissingInputError: the file does not exist.
        ConfigError: the recipe does not exist (the error suggests the nearest name), or a setting
            is wrong.
    """
    path = recipe_path(name_or_path)
    tree: Tree = {"name": path.stem, **read_toml(path)}
    if name_or_path == DEFAULT_RECIPE:
        tree = _on_top(
            tree, override(Recipe, read_toml(recipe_path(size.recipe)), size.assignments())
        )
    return change_recipe(tree, assignments, f"recipe {path.stem}")


def change_recipe(tree: Tree, assignments: Sequence[str], where: str) -> Recipe:
    """Return the recipe `tree` with `section.key=value` assignments applied.

    `model.size=NAME` stands for the settings that give the recipe's model this size. They depend on
    the kinds of its parts, and all other assignments override them.

    Raises:
        ConfigError: a setting is wrong; the message names `where`.
    """
    names = [text for text in assignments if _key(text) == SIZE]
    others = [text for text in assignments if _key(text) != SIZE]
    recipe = load_settings(Recipe, override(Recipe, tree, others), where)
    if not names:
        return recipe
    name = names[-1].partition("=")[2].strip().strip("\"'")
    if name not in MODEL_SIZES:
        raise ConfigError(f"{SIZE}: expected {', '.join(MODEL_SIZES)}, found {name!r:.80}")
    changes = [*sized(recipe.model, MODEL_SIZES[name]), *others]
    return load_settings(Recipe, override(Recipe, tree, changes), where)


def _key(assignment: str) -> str:
    return assignment.partition("=")[0].strip()


def _on_top(tree: Tree, base: Tree) -> Tree:
    """Return a copy of `base`, overridden by the settings of `tree`."""
    both = {
        name: _on_top(tree[name], base[name])
        for name in tree.keys() & base.keys()
        if isinstance(tree[name], dict)
    }
    return {**base, **tree, **both}


def recipe_path(name_or_path: str) -> Path:
    """Return the TOML file of a built-in recipe, or the given path if it ends in .toml.

    Raises:
        ConfigError: the recipe does not exist; the error suggests the nearest name.
    """
    if name_or_path.endswith(".toml"):
        return Path(name_or_path)
    names = recipe_names()
    if name_or_path not in names:
        raise ConfigError(
            f"unknown recipe {name_or_path!r}; {_nearest(name_or_path, names)}"
            f"expected one of {', '.join(names)}, or a .toml file"
        )
    return Path(str(resources.files("s2scli.recipes") / f"{name_or_path}.toml"))


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]}? " if near else ""


def list_recipe_settings() -> Iterator[SettingRow]:
    """Yield every setting of a recipe; the type of training.metric lists the known scores."""
    for row in list_settings(Recipe):
        scores = row.path == "training.metric"
        yield replace(row, type=" | ".join(CRITERIA)) if scores else row


def limited(recipe: Recipe, limits: Tree) -> TrainingSettings:
    """Return the recipe's training settings with the limits of this call.

    The limits do not become part of the recipe, so later calls do not inherit them.

    Raises:
        ConfigError: a limit is wrong.
    """
    tree = recipe.model_dump(mode="json")
    tree["training"]["limits"] |= limits
    return load_settings(Recipe, tree, "train").training


def fixed_settings(recipe: Recipe) -> Tree:
    """Return the settings that must stay the same when a run is resumed.

    These are the model and training settings without the limits.
    """
    return recipe.model_dump(
        mode="json", include={"model", "training"}, exclude={"training": {"limits"}}
    )


def recipe_toml(recipe: Recipe) -> str:
    """Return the resolved recipe as TOML, which can be loaded as a recipe again."""
    return write_toml(recipe.model_dump(mode="json"))
