"""`s2s inspect recipe`: list the recipes, or show the settings of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from s2scli.config import Recipe, list_recipe_settings, load_recipe, recipe_names
from s2scli.model.combinations import Matrix, make_matrix
from s2scli.model.seq2seq import Seq2Seq, count_parameters
from s2scli.settings import SettingRow, Tree, toml_text

ASSUMED_VOCAB_SIZE = 8000
BYTES = 4  # per float32


@dataclass(frozen=True)
class ResolvedSetting:
    """A setting and its value in a recipe.

    Attributes:
        path: its dotted path in the TOML.
        value: its value, as JSON.
        row: its declaration.
        default: its default value, as TOML text.
    """

    path: str
    value: Any
    row: SettingRow
    default: str

    @property
    def is_default(self) -> bool:
        """Whether the value equals the default."""
        return self.text == self.default

    @property
    def text(self) -> str:
        """The value as TOML text."""
        return toml_text(self.value)


def resolve_settings(recipe: Recipe) -> list[ResolvedSetting]:
    """Return every setting of a recipe with its value; settings of unused kinds are left out.

    The default of a `kind` is that of the default recipe settings; the default of any other
    setting is the one it is declared with.
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
    """The size of a recipe's model and the memory needed to train it.

    Attributes:
        vocab_size: the assumed size of the joint vocabulary.
        parameters: the number of parameters of the model.
        bytes: an estimate of the memory for weights, gradients, optimizer state and moving average
            in float32; the memory for batches is not included.
    """

    vocab_size: int
    parameters: int
    bytes: int


def estimate_footprint(recipe: Recipe, vocab_size: int = ASSUMED_VOCAB_SIZE) -> Footprint:
    """Return the footprint of a recipe's model with a joint vocabulary of this size.

    Raises:
        ConfigError: the parts of the model do not fit together.
    """
    parameters = count_parameters(sketch_model(recipe, vocab_size))
    training = recipe.training
    copies = 2 + training.optimizer.copies + (training.ema_decay > 0)  # weights and gradients
    return Footprint(vocab_size, parameters, BYTES * parameters * copies)


def sketch_model(recipe: Recipe, vocab_size: int = ASSUMED_VOCAB_SIZE) -> Seq2Seq:
    """Return a recipe's model without weights, with a joint vocabulary of this size.

    Raises:
        ConfigError: the parts of the model do not fit together.
    """
    reads, joint = recipe.model.source.typical(vocab_size), recipe.model.source.kind == "tokens"
    with torch.device("meta"):
        return Seq2Seq(recipe.model, reads, vocab_size, joint=joint)


def list_recipes() -> list[Recipe]:
    """Return the built-in recipes, sorted by name."""
    return [load_recipe(name) for name in recipe_names()]


def list_combinations() -> Matrix:
    """Return which encoders, decoders, attentions and connections can be combined."""
    return make_matrix()


def _flatten(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _without_kinds(path: str) -> tuple[str, list[tuple[str, list[str]]]]:
    """Split `a[x|y].b` into `a.b` and the kinds its sections must have: [(a, [x, y])]."""
    sections: list[str] = []
    kinds = []
    for part in path.split("."):
        name, bracket, tags = part.partition("[")
        sections.append(name)
        if bracket:
            kinds.append((".".join(sections), tags.rstrip("]").split("|")))
    return ".".join(sections), kinds
