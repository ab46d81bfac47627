"""The parameters that `s2s tune` varies: read from a TOML file, or derived from a recipe."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import model_validator

from s2scli.config import SIZE, Recipe, change_recipe, named_size
from s2scli.errors import ConfigError
from s2scli.model.sizes import MODEL_SIZES
from s2scli.settings import Settings, Tree, load_settings, read_toml, setting, toml_text, write_toml

Value = bool | int | float | str
Values = Mapping[str, Value]

MAX_DROPOUT, MAX_SMOOTHING, MAX_TOKEN_DROPOUT = 0.5, 0.2, 0.2
DECAYS = (0.99, 0.995, 0.999)
DIGITS = 3  # significant digits of a drawn number, so that recipes stay readable
MOVED_SHARE, MOVE = 0.5, 0.15  # how many parameters `near` moves, and how far


class Parameter(Settings):
    """One parameter: the recipe settings that get its value, and the values to try."""

    settings: tuple[str, ...] = setting(
        ..., "Recipe settings that all get the value, such as model.encoder.dropout.", min_length=1
    )
    choices: tuple[Value, ...] = setting((), "Values to choose from.")
    low: int | float | None = setting(None, "Lowest value, instead of choices.")
    high: int | float | None = setting(None, "Highest value.")
    log: bool = setting(False, "Try as many values from 0.001 to 0.01 as from 0.01 to 0.1.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.choices) == (self.low is not None or self.high is not None):
            raise ValueError("give either choices, or low and high")
        if not self.choices and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError(f"low must be less than high; found {self.low} and {self.high}")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError(f"with log = true, low must be greater than 0; found {self.low}")
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values to check: all choices, or the lowest and the highest value."""
        return self.choices or tuple(end for end in (self.low, self.high) if end is not None)

    @property
    def is_whole(self) -> bool:
        """Whether the values of a range are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def has(self, value: object) -> bool:
        """Return whether this is one of the values."""
        if self.low is None or self.high is None:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high


Space = Mapping[str, Parameter]


def read_space(path: Path, recipe: Recipe) -> Space:
    """Read a space: one table for each parameter; and check its values against a recipe.

    Raises:
        MissingInputError: the file does not exist.
        ConfigError: the file is not a space, or the recipe has no such setting or refuses a value.
    """
    space: dict[str, Parameter] = {}
    for name, tree in read_toml(path).items():
        where = f"{path}: {name:.80}"
        if not isinstance(tree, dict):
            raise ConfigError(f"{where}: expected a table with settings, and choices or low, high")
        space[name] = parameter = load_settings(Parameter, tree, where)
        for value in parameter.ends:
            changes = [f"{setting}={toml_text(value)}" for setting in parameter.settings]
            try:
                change_recipe(recipe.model_dump(mode="json"), changes, where)
            except ConfigError as error:
                raise ConfigError(f"{where}: {str(error).removeprefix(f'{where}: ')}") from error
    if not space:
        raise ConfigError(f"{path}: no parameters; write one table for each, as in `s2s tune -n`")
    return space


def space_text(space: Space) -> str:
    """Return a space as TOML, which `read_space` reads."""
    return write_toml(
        {name: each.model_dump(mode="json", exclude_defaults=True) for name, each in space.items()}
    )


def assignments(space: Space, values: Values) -> list[str]:
    """Return the `section.key=value` changes that these values make to a recipe."""
    return [
        f"{path}={toml_text(values[name])}"
        for name, parameter in space.items()
        for path in parameter.settings
    ]


def rounded(value: Value) -> Value:
    """Return a value with `DIGITS` significant digits, if it is a float."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def used(space: Space, values: Values) -> dict[str, Value]:
    """Return drawn values as recipes get them: those of ranges are rounded, but stay inside."""

    def one(name: str, value: Value) -> Value:
        low, high, short = space[name].low, space[name].high, rounded(value)
        if low is None or high is None or isinstance(short, str):
            return value
        return short if low <= short <= high else value

    return {name: one(name, value) for name, value in values.items()}


def own_values(space: Space, recipe: Recipe) -> dict[str, Value] | None:
    """Return the values that leave the recipe as it is; None if the space does not have them."""
    tree = recipe.model_dump(mode="json")
    values = {}
    for name, parameter in space.items():
        found = {_own(path, recipe, tree) for path in parameter.settings}
        value = found.pop()
        if found or value is None or not parameter.has(value):
            return None
        values[name] = value
    return values


def _own(path: str, recipe: Recipe, tree: Tree) -> Value | None:
    if path == SIZE:
        return named_size(recipe)
    for key in path.split("."):
        tree = tree[key]
    return tree if isinstance(tree, Value) else None


def near(space: Space, best: Sequence[Values], random: np.random.Generator) -> dict[str, Value]:
    """Return values near the best ones, for a local search.

    About half of the parameters move, and at least one. A number moves by a normal distribution
    whose standard deviation is 15 % of its range; a choice becomes that of one of the best.

    Args:
        space: the parameters.
        best: the values of the best trials, best first; numbers move from those of the first.
        random: the random generator.
    """
    moves = random.random(len(space)) < MOVED_SHARE
    moves[random.integers(len(space))] = True
    return {
        name: _moved(parameter, [values[name] for values in best], random)
        if moved
        else best[0][name]
        for moved, (name, parameter) in zip(moves, space.items(), strict=True)
    }


def _moved(parameter: Parameter, best: Sequence[Value], random: np.random.Generator) -> Value:
    if parameter.low is None or parameter.high is None:
        return best[int(random.integers(len(best)))]
    scale, back = (math.log, math.exp) if parameter.log else (float, float)
    low, high = scale(parameter.low), scale(parameter.high)
    place = scale(float(best[0])) + random.normal(0, MOVE * (high - low))
    place = high - abs((place - low) % (2 * (high - low)) - (high - low))  # reflected at both ends
    moved = min(max(back(place), parameter.low), parameter.high)
    return round(moved) if parameter.is_whole else moved


def space_of(recipe: Recipe, *, small_corpus: bool, text: bool) -> Space:
    """Return the space for a recipe: ranges around its own values.

    Args:
        recipe: the recipe.
        small_corpus: whether `training.min_batches` limits the batches, not
            `training.batch_tokens`.
        text: whether the source is text.
    """
    return dict(
        [*_optimization(recipe, small_corpus), *_regularization(recipe, text), *_size(recipe)]
    )


def _optimization(recipe: Recipe, small_corpus: bool) -> Iterator[tuple[str, Parameter]]:
    training = recipe.training
    rate = training.optimizer.learning_rate
    yield (
        "learning_rate",
        _range(["training.optimizer.learning_rate"], rate / 5, rate * 5, log=True),
    )
    if steps := training.schedule.warmup_steps:
        path = "training.schedule.warmup_steps"
        yield "warmup_steps", _range([path], max(1, steps // 4), steps * 4, log=True)
    path = "training.min_batches" if small_corpus else "training.batch_tokens"
    own = training.min_batches if small_corpus else training.batch_tokens
    sizes = sorted({max(1, own // 4), max(1, own // 2), own, own * 2})
    yield path.rpartition(".")[2], Parameter(settings=(path,), choices=tuple(sizes))
    if training.ema_decay:
        choices = tuple(sorted({*DECAYS, training.ema_decay}))
        yield "ema_decay", Parameter(settings=("training.ema_decay",), choices=choices)


def _regularization(recipe: Recipe, text: bool) -> Iterator[tuple[str, Parameter]]:
    training, decoder = recipe.training, recipe.model.decoder
    sections = {name: getattr(recipe.model, name) for name in type(recipe.model).model_fields}
    same = [
        f"model.{name}.dropout"
        for name, section in sections.items()
        if getattr(section, "dropout", None) == decoder.dropout
    ]
    yield "dropout", _range(same, 0.0, max(MAX_DROPOUT, decoder.dropout))
    if recipe.criterion.name != "loss":  # smoothing changes the loss itself
        most = max(MAX_SMOOTHING, training.label_smoothing)
        yield "label_smoothing", _range(["training.label_smoothing"], 0.0, most)
    dropped = training.source_token_dropout
    if text:
        most = max(MAX_TOKEN_DROPOUT, dropped)
        yield "source_token_dropout", _range(["training.source_token_dropout"], 0.0, most)


def _size(recipe: Recipe) -> Iterator[tuple[str, Parameter]]:
    """Yield the size of the model, if the recipe has one of the named sizes."""
    names, own = [*MODEL_SIZES], named_size(recipe)
    if own:
        near = names[max(0, names.index(own) - 1) : names.index(own) + 2]
        yield "size", Parameter(settings=(SIZE,), choices=tuple(near))


def _range(paths: Sequence[str], low: float, high: float, *, log: bool = False) -> Parameter:
    return Parameter(settings=tuple(paths), low=rounded(low), high=rounded(high), log=log)
