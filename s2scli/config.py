"""Recipes: named settings for the model, training and search, saved with each model."""

import difflib
import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Self

from pydantic import model_validator

from s2scli.data.settings import NoiseSettings
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
from s2scli.sides import TEXT, Media, Picture, Sides, Sound
from s2scli.sizes import WITHOUT_CORPUS, Size
from s2scli.tokenizer.copying import Copier
from s2scli.tokenizer.pictures import BLOCK_WIDTH
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Target, Tokenizers
from s2scli.training.settings import TrainingSettings
from s2scli.training.stopping import Criterion

VALIDATED = ("perplexity", "token_accuracy")  # metrics of the model that validation computes
CRITERIA: dict[str, Criterion] = {
    "loss": Criterion("loss", higher_is_better=False),
    **{
        name: Criterion(name, metric.higher_is_better)
        for name, metric in METRICS.items()
        if metric.needs == "outputs" or name in VALIDATED
    },
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

    @model_validator(mode="after")
    def _check_ctc_layer(self) -> Self:
        if self.search.ctc_weight and not self.model.ctc_weight:
            raise ValueError(
                "search.ctc_weight needs a CTC layer: set model.ctc_weight above 0, or "
                "search.ctc_weight to 0"
            )
        return self

    @model_validator(mode="after")
    def _check_coverage(self) -> Self:
        if self.training.coverage and self.model.attention.kind == "none":
            raise ValueError(
                "training.coverage: it is a loss on attention, but model.attention.kind is none; "
                "choose a kind of attention, or coverage 0"
            )
        return self

    def copier(self, tokenizers: Tokenizers) -> Copier | None:
        """Return what says which tokens can be copied; None if the model does not copy.

        Raises:
            ConfigError: the model copies, and its sources have no end token.
        """
        if not self.model.copies:
            return None
        if not tokenizers.texts[0].ends:
            raise ConfigError(
                "model.output.kind: pointer needs an end token after each source, which this "
                "tokenizer does not add; choose plain"
            )
        return Copier(*tokenizers.texts)

    @property
    def criterion(self) -> Criterion:
        """The validation score that selects the best checkpoint."""
        return CRITERIA[self.training.metric]


DEFAULT_RECIPE = "default"
# What --override may change: neither the weights' shapes, nor the optimizer's state, nor which
# examples are in a batch, nor what a validation score means.
SAFE_TO_CHANGE = (
    "model.*dropout",
    "training.accumulate",
    "training.log_every",
    "training.max_gradient_norm",
    "training.optimizer.learning_rate",
    "training.optimizer.weight_decay",
    "training.precision",
    "training.r_drop",
    "training.save_every",
    "training.schedule.*",
    "training.scheduled_sampling.*",
    "training.simcut",
    "training.simcut_share",
    "training.source_token_dropout",
    "training.target_token_dropout",
    "training.validate_every",
)
LONGEST_MEDIA = 1000  # encoder states: of sound, 40 seconds
SIZE = "model.size"


def load_recipe(
    name_or_path: str,
    assignments: Sequence[str] = (),
    size: Size = WITHOUT_CORPUS,
    sides: Sides = TEXT,
) -> Recipe:
    """Load a built-in recipe or a TOML file, and apply `section.key=value` assignments.

    Args:
        name_or_path: a built-in recipe's name, or the path of a TOML file.
        assignments: `section.key=value` changes to the recipe.
        size: the corpus size that selects the settings of the default recipe; other recipes
            ignore it.
        sides: what the corpus is made of; a recipe for text is adapted to sound and pictures.

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
    tree = fit_to_sides(tree, sides)
    recipe = change_recipe(tree, assignments, f"recipe {path.stem}")
    check_sides(recipe, sides)
    return recipe


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


def named_size(recipe: Recipe) -> str | None:
    """Return the name of the size that the recipe's model has; None if it has none of them."""
    tree = recipe.model_dump(mode="json")
    return next(
        (
            name
            for name, size in MODEL_SIZES.items()
            if change_recipe(tree, sized(recipe.model, size), SIZE) == recipe
        ),
        None,
    )


def _key(assignment: str) -> str:
    return assignment.partition("=")[0].strip()


def fit_to_sides(tree: Tree, sides: Sides) -> Tree:
    """Replace the settings of a recipe that are for text by those for audio or images.

    A source front end for tokens becomes one for audio or images. The validation score of a model
    that reads sound is the character error rate. For target pictures, a Transformer decoder gets
    the positions of a grid, and training maximizes the likelihood. A recipe that fixes the length
    of outputs was made for pictures, and keeps its own values.

    Raises:
        ConfigError: a section that is adapted is not a section.
    """
    if not sides.are_text:
        _check_sections(tree, "model", "model.source", "training")
    if sides.source and _get(tree, "model", "source", "kind") in (None, "tokens"):
        given = tree.get("model", {}).get("source", {})
        kept = {name: given[name] for name in ("embedding_dim", "dropout") if name in given}
        tree = _on_top({"model": {"source": None}}, tree)
        tree["model"]["source"] = {**kept, "kind": sides.source.kind}
    defaults: Tree = {}
    if not sides.are_text:
        defaults = {"training": {"max_length": LONGEST_MEDIA}}
    if isinstance(sides.source, Sound):
        defaults = _on_top({"training": {"metric": "cer"}}, defaults)
    if sides.target and _get(tree, "search", "max_length") in (None, "none"):
        likelihood = {"metric": "loss", "label_smoothing": 0.0}
        tree = _on_top({"training": likelihood, "model": _grid(tree, sides.target)}, tree)
    return _on_top(tree, defaults)


def _check_sections(tree: Tree, *paths: str) -> None:
    """Check that what the tree has at these paths are sections.

    Raises:
        ConfigError: a setting is there.
    """
    for path in paths:
        found = _get(tree, *path.split("."))
        if not (found is None or isinstance(found, dict)):
            raise ConfigError(f"{path}: expected a section with settings, found {found!r:.80}")


def _grid(tree: Tree, target: Media) -> Tree:
    """Return the model's settings for the positions of target pictures."""
    kind = _get(tree, "model", "decoder", "kind")
    if kind not in ("transformer", "ssru") or not isinstance(target, Picture):
        return {}
    assert target.width, "prepare fixes the size of target pictures"
    return {"decoder": {"positions": "grid", "grid_columns": -(-target.width // BLOCK_WIDTH)}}


def fit_to_target(recipe: Recipe, target: Target, assignments: Sequence[str]) -> Recipe:
    """Fix the length of outputs if the target is pictures: all have the same number of tokens.

    A recipe that gives this maximum length and a minimum length was made for such pictures, and
    keeps both.

    Args:
        recipe: a recipe for the sides of the corpus.
        target: the tokenizer of the target.
        assignments: the changes to the recipe, which override this one.

    Raises:
        ConfigError: a picture has more tokens than training accepts; or there is a CTC layer, and
            the target is written from right to left.
    """
    if isinstance(target, SentencePiece):
        if target.reverse and recipe.model.ctc_weight:
            raise ConfigError(
                f"model.ctc_weight: a CTC layer reads from left to right, and the tokenizer writes "
                f"from right to left; found {recipe.model.ctc_weight:g}, expected 0"
            )
        return recipe
    length = target.num_tokens + 1  # the end token
    most = recipe.training.max_length
    if length > most:
        raise ConfigError(
            f"training.max_length: a target picture has {length} tokens, with the end token; found "
            f"{most}; prepare smaller pictures, or --set training.max_length={length}"
        )
    given = {_key(text) for text in assignments}
    fitted = recipe.search.max_length == length and "min_length" in recipe.search.model_fields_set
    if fitted and "search.max_length" not in given:
        return recipe
    tree = recipe.model_dump(mode="json")
    for name in ("min_length", "max_length"):
        if f"search.{name}" not in given:
            tree["search"][name] = length
    return load_settings(Recipe, tree, f"recipe {recipe.name}")


def _get(tree: Tree, *names: str) -> object:
    """Return a value from nested tables; None if it is missing."""
    found: object = tree
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def check_sides(recipe: Recipe, sides: Sides) -> None:
    """Check that the recipe has no setting that is only for text, for a side that is not text.

    Raises:
        ConfigError: the recipe adds noise to tokens, and the source has no tokens; or it copies
            tokens, and a side has none; or its validation score compares texts, and the target is
            pictures.
    """
    training = recipe.training
    if recipe.model.copies and not sides.are_text:
        raise ConfigError(
            "model.output.kind: pointer copies tokens from text to text, and a side of the corpus "
            "is not text; choose plain"
        )
    if sides.source and (training.noise != NoiseSettings() or training.source_token_dropout):
        raise ConfigError(
            "training.noise and training.source_token_dropout are for text, and the source is "
            f"{sides.source.kind}; leave them out"
        )
    if sides.target and training.metric not in ("loss", *VALIDATED):
        raise ConfigError(
            f"training.metric: {training.metric} compares texts, and the target is "
            f"{sides.target.kind}; choose loss, {' or '.join(VALIDATED)}"
        )


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


def recipes_with_attention() -> list[str]:
    """Return the names of the built-in recipes whose model has attention."""
    recipes = (load_recipe(name) for name in recipe_names())
    return [recipe.name for recipe in recipes if recipe.model.attention.kind != "none"]


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

    These are the model and training settings without the limits and the logs, and what a validation
    by search reads of the model.
    """
    free = {"limits", "log_samples", "track"}
    tree = recipe.model_dump(mode="json", include={"model", "training"}, exclude={"training": free})
    return {**tree, "search": {"ctc_weight": recipe.search.ctc_weight}}


def is_safe_to_change(path: str) -> bool:
    """Whether `--override` may change the setting with this path when a run is resumed."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in SAFE_TO_CHANGE)


def recipe_toml(recipe: Recipe) -> str:
    """Return the resolved recipe as TOML, which can be loaded as a recipe again."""
    return write_toml(recipe.model_dump(mode="json"))
