"""`s2s inspect recipe`: the recipes there are, and what one resolves to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from s2scli.config import Recipe, list_recipe_settings, load_recipe, recipe_names
from s2scli.model.combinations import Matrix, make_matrix
from s2scli.model.seq2seq import Seq2Seq, count_parameters
from s2scli.settings import SettingRow, Tree, toml_text

ASSUMED_VOCAB_SIZE = 8000
BYTES = 4  # of a float32


@dataclass(frozen=True)
class ResolvedSetting:
    """A setting as a recipe resolves it.

    Attributes:
        path: its dotted path in the TOML.
        value: what it is, a JSON value.
        row: its declaration.
        default: what it is by default, as it stands in the TOML.
    """

    path: str
    value: Any
    row: SettingRow
    default: str

    @property
    def is_default(self) -> bool:
        """Whether it is what it would be if no recipe mentioned it."""
        return self.text == self.default

    @property
    def text(self) -> str:
        """The value as it stands in the TOML."""
        return toml_text(self.value)


def resolve_settings(recipe: Recipe) -> list[ResolvedSetting]:
    """Return every setting of a recipe with its value; only those of the chosen kinds.

    A kind has the default of its section, every other setting the one of its declaration.
    """
    kinds_by_default = dict(_flatten(Recipe().model_dump(mode="json")))
    values = dict(_flatten(recipe.model_dump(mode="json")))
    resolved = []
    for row in list_recipe_settings():
        path, kinds = _without_kinds(row.path)
        chosen = all(values.get(f"{section}.kind") in names for section, names in kinds)
        if chosen and path in values:
            default = row.default
            if path.endswith(".kind") and path in kinds_by_default:
                default = toml_text(kinds_by_default[path])
            resolved.append(ResolvedSetting(path, values[path], row, default))
    return resolved


@dataclass(frozen=True)
class Footprint:
    """How large a recipe's model is, and what training it keeps in memory.

    Attributes:
        vocab_size: the size of the joint vocabulary that is assumed.
        parameters: weights of the model.
        bytes: weights, gradients, the optimizer's state and the moving average in float32; an
            estimate, without what the batches need.
    """

    vocab_size: int
    parameters: int
    bytes: int


def estimate_footprint(recipe: Recipe, vocab_size: int = ASSUMED_VOCAB_SIZE) -> Footprint:
    """Return the size of a recipe's model with a joint vocabulary of this size.

    Raises:
        ConfigError: its parts do not make a model.
    """
    with torch.device("meta"):
        parameters = count_parameters(Seq2Seq(recipe.model, vocab_size, vocab_size, joint=True))
    training = recipe.training
    copies = 2 + training.optimizer.copies + (training.ema_decay > 0)  # weights and gradients
    return Footprint(vocab_size, parameters, BYTES * parameters * copies)


def list_recipes() -> list[Recipe]:
    """Return the built-in recipes, in the order of their names."""
    return [load_recipe(name) for name in recipe_names()]


def list_combinations() -> Matrix:
    """Return which encoders, decoders, attentions and connections make a model together."""
    return make_matrix()


def recipes_with_attention() -> list[str]:
    """Return the names of the built-in recipes whose model has attention."""
    return [recipe.name for recipe in list_recipes() if recipe.model.attention.kind != "none"]


def _flatten(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _without_kinds(path: str) -> tuple[str, list[tuple[str, list[str]]]]:
    """Split `a[x|y].b` into `a.b` and the kinds that it asks of its sections, (a, [x, y])."""
    sections: list[str] = []
    kinds = []
    for part in path.split("."):
        name, bracket, tags = part.partition("[")
        sections.append(name)
        if bracket:
            kinds.append((".".join(sections), tags.rstrip("]").split("|")))
    return ".".join(sections), kinds
