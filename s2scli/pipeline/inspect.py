"""What `s2s inspect` reads: attention of one sentence, a model's parts, a run's history, recipes.

Nothing here writes to the workspace or locks it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from s2scli.data.cleaning import is_blank
from s2scli.errors import CheckpointError, CorpusError, MissingInputError, UsageError
from s2scli.manifest import Manifest
from s2scli.report.heads import AttentionHeads
from s2scli.settings import SettingRow, Tree, toml_text

if TYPE_CHECKING:
    from s2scli.config import Recipe
    from s2scli.model.combinations import Matrix
    from s2scli.pipeline.translation import Translation


@dataclass(frozen=True)
class Parameter:
    """One tensor of a model: its name and shape."""

    name: str
    shape: tuple[int, ...]

    @property
    def part(self) -> str:
        """The part of the model that it belongs to (encoder, decoder, ...)."""
        return self.name.split(".")[0]

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class ModelFacts:
    """What a model folder says of itself.

    Attributes:
        recipe: the resolved recipe it was trained with.
        manifest: its manifest: hashes of its files, what training recorded, what it was made of.
        vocab_size: tokens by side: source and target, or joint.
        parameters: its tensors, by name.
    """

    recipe: "Recipe"
    manifest: Manifest
    vocab_size: dict[str, int]
    parameters: tuple[Parameter, ...]

    @property
    def parts(self) -> dict[str, int]:
        """The number of parameters of each part."""
        counts: dict[str, int] = {}
        for parameter in self.parameters:
            counts[parameter.part] = counts.get(parameter.part, 0) + parameter.count
        return counts


@dataclass(frozen=True)
class ResolvedSetting:
    """A setting as a recipe resolves it.

    Attributes:
        path: its dotted path in the TOML.
        value: what it is, a JSON value.
        row: its declaration.
    """

    path: str
    value: Any
    row: SettingRow

    @property
    def text(self) -> str:
        """The value as it stands in the TOML."""
        return "none" if self.value is None else toml_text(self.value)


@dataclass(frozen=True)
class LogLine:
    """One line of `metrics.jsonl`.

    Attributes:
        step: updates made so far.
        epoch: epochs finished, with the share of the current one.
        seconds: time the run has taken.
        values: everything measured, by name; NaN where it was not finite.
        best: whether this validation's weights became the model.
    """

    step: int
    epoch: float
    seconds: float
    values: dict[str, float]
    best: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The record as JSON; null where a value is not finite."""
        values = {name: v if math.isfinite(v) else None for name, v in self.values.items()}
        place = {"step": self.step, "epoch": self.epoch, "seconds": self.seconds}
        return {**place, "best": self.best, **values}


@dataclass(frozen=True)
class History:
    """What `metrics.jsonl` holds: its update lines and its validation lines, in order."""

    updates: tuple[LogLine, ...]
    validations: tuple[LogLine, ...]

    @property
    def best(self) -> LogLine | None:
        """The validation whose weights are the model."""
        return next((record for record in reversed(self.validations) if record.best), None)

    @property
    def scores(self) -> list[str]:
        """The names of everything measured at a validation, in the order of their first line."""
        return list(dict.fromkeys(name for record in self.validations for name in record.values))


def inspect_attention(
    folder: Path, source: str, target: str | None = None, device: str = "auto"
) -> AttentionHeads:
    """Translate `source` (or force `target`) and return where each layer and head looked.

    Raises:
        UsageError: the text is empty, or the model has no attention.
        CorpusError: the search found no translation.
        CheckpointError: the model is damaged.
        MissingInputError: there is no model in `folder`.
    """
    from s2scli.pipeline.translator import Translator

    if is_blank(source):
        raise UsageError("the text is empty: there is nothing to look at")
    translator = Translator.load(folder, device=device)
    if not translator.has_attention:
        raise UsageError(
            f"the recipe of {folder} ({translator.recipe.name}) has no attention to look at; "
            f"these have: {', '.join(recipes_with_attention())}"
        )
    if target is None:
        (translation,) = translator.search([source], translator.search_settings)
    else:
        (translation,) = translator.force([source], [target])
    return _heads_of(translation)


def resolve_settings(recipe: "Recipe") -> list[ResolvedSetting]:
    """Return every setting of a recipe with its value; only those of the chosen kinds."""
    from s2scli.config import list_recipe_settings

    values = dict(_flatten(recipe.model_dump(mode="json")))
    resolved = []
    for row in list_recipe_settings():
        path, kinds = _without_kinds(row.path)
        chosen = all(values.get(f"{section}.kind") in names for section, names in kinds)
        if chosen and path in values:
            resolved.append(ResolvedSetting(path, values[path], row))
    return resolved


def inspect_model(folder: Path) -> ModelFacts:
    """Read what a model is from its folder, without reading its weights.

    Raises:
        MissingInputError: there is no model.
        CheckpointError: a file is missing, damaged or of a newer format.
    """
    from s2scli.pipeline.model_folder import describe_model_folder

    found = describe_model_folder(folder)
    source, target = found.tokenizers.source.vocab_size, found.tokenizers.target.vocab_size
    return ModelFacts(
        found.recipe,
        found.manifest,
        {"joint": source} if found.tokenizers.joint else {"source": source, "target": target},
        tuple(Parameter(name, shape) for name, shape in sorted(found.shapes.items())),
    )


def inspect_training(folder: Path) -> History:
    """Read the history of a run; a last line cut short by a crash is left out.

    Raises:
        MissingInputError: there is no `metrics.jsonl`, or nothing in it yet.
        CheckpointError: a line is not what `s2s train` writes.
    """
    from s2scli.training.metrics_log import MetricsLog

    path = folder / "metrics.jsonl"
    updates: list[LogLine] = []
    validations: list[LogLine] = []
    for tree in MetricsLog(path).read():
        kind, record = _read_record(tree, path)
        (updates if kind == "update" else validations).append(record)
    if not updates and not validations:
        raise MissingInputError(
            f"{path}: no training to look at yet; start it with `s2s train`, or wait for its "
            "first report"
        )
    return History(tuple(updates), tuple(validations))


def _heads_of(translation: "Translation") -> AttentionHeads:
    if not translation.hypotheses:
        raise CorpusError("the search found no translation of this text; give one with --target")
    heads = translation.heads(translation.hypotheses[0])
    if heads is None or not np.isfinite(heads.weights).all():
        raise CheckpointError(
            "the attention weights of this model are not numbers; its parameters are damaged"
        )
    return heads


def list_recipes() -> "list[Recipe]":
    """Return the built-in recipes, in the order of their names."""
    from s2scli.config import load_recipe, recipe_names

    return [load_recipe(name) for name in recipe_names()]


def list_combinations() -> "Matrix":
    """Return which encoders, decoders, attentions and connections make a model together."""
    from s2scli.model.combinations import make_matrix

    return make_matrix()


def recipes_with_attention() -> list[str]:
    """Return the names of the built-in recipes whose model has attention."""
    return [recipe.name for recipe in list_recipes() if recipe.model.attention.kind != "none"]


def _read_record(tree: Tree, path: Path) -> tuple[str, LogLine]:
    """Return the kind and the content of one line of `metrics.jsonl`."""
    try:
        kind, best = tree.pop("kind"), tree.pop("best", False) is True
        if kind not in ("update", "validation"):
            raise ValueError(f"found the kind {kind!r:.40}")
        place = (int(tree.pop("step")), float(tree.pop("epoch")), float(tree.pop("seconds")))
        measured = {**tree.pop("scores", {}), **tree}
        values = {name: math.nan if v is None else float(v) for name, v in measured.items()}
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{path}: damaged, expected the updates and validations of s2s ({error})"
        ) from error
    return kind, LogLine(*place, values, best)


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
