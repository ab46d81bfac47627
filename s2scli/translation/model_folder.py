"""A model folder: recipe, weights, tokenizer and card. It works wherever it is copied."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from s2scli.artifacts import plain_file_size
from s2scli.config import Recipe, recipe_toml
from s2scli.errors import CheckpointError, ConfigError, MissingInputError
from s2scli.manifest import Manifest, in_one_generation, new_folder, verify_folder
from s2scli.model.seq2seq import Seq2Seq, count_parameters
from s2scli.model.weights import encode_tensors, load_weights, read_tensors, utf8_path
from s2scli.report.readings import BEST_HEADS, Reading
from s2scli.search.shortlist import Shortlist
from s2scli.settings import load_settings, read_toml
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.model_card import model_card

MAX_HEADER_BYTES = 1_000_000
RECIPE, WEIGHTS, CARD = "recipe.toml", "model.safetensors", "README.md"
READING = "alignment"  # the key of the reading among the facts
SHORTLIST = "shortlist.safetensors"


@dataclass(frozen=True)
class LoadedModel:
    """The contents of a model folder, ready to run."""

    recipe: Recipe
    model: Seq2Seq
    tokenizers: Tokenizers
    manifest: Manifest


@dataclass(frozen=True)
class ModelDescription:
    """The contents of a model folder, without the values of the weights.

    Attributes:
        recipe: the resolved recipe.
        tokenizers: the tokenizers of both sides.
        manifest: the folder's manifest.
        shapes: the shape of each weight, by name.
    """

    recipe: Recipe
    tokenizers: Tokenizers
    manifest: Manifest
    shapes: Mapping[str, tuple[int, ...]]


def build_model(recipe: Recipe, tokenizers: Tokenizers) -> Seq2Seq:
    """Build the model of a recipe, with random weights from torch's default generator.

    Raises:
        ConfigError: the parts of the model do not fit together.
    """
    return Seq2Seq(
        recipe.model,
        tokenizers.reads,
        tokenizers.target.vocab_size,
        joint=tokenizers.joint,
    )


def write_model_folder(
    folder: Path,
    recipe: Recipe,
    weights: Mapping[str, Tensor],
    tokenizers: Tokenizers,
    facts: Mapping[str, Any],
) -> None:
    """Write a model folder atomically.

    Args:
        folder: the folder to write; an existing model is replaced.
        recipe: the resolved recipe.
        weights: the weights, by name.
        tokenizers: the tokenizers to write into the folder.
        facts: facts about the training, such as step and scores, as JSON values.

    Raises:
        StorageError: the disk is full or a write failed.
    """
    with new_folder(folder, "model", made_from={"tokenizer": tokenizers.digest}) as draft:
        draft.facts = facts
        (draft.path / RECIPE).write_text(recipe_toml(recipe), encoding="utf-8", newline="\n")
        (draft.path / WEIGHTS).write_bytes(encode_tensors(weights))
        (draft.path / CARD).write_text(
            model_card(recipe, tokenizers, facts), encoding="utf-8", newline="\n"
        )
        tokenizers.write(draft.path)


def load_model_folder(folder: Path, device: torch.device) -> LoadedModel:
    """Load and verify a model folder. Its files are not trusted.

    Args:
        folder: the model folder.
        device: the device for its weights.

    Raises:
        MissingInputError: there is no model.
        CheckpointError: a file is missing or damaged, or the files do not belong together.
        TokenizerError: a tokenizer is damaged.
        ConfigError: the recipe is wrong.
    """

    def read() -> LoadedModel:
        found = _describe(folder)
        model = build_model(found.recipe, found.tokenizers)
        load_weights(model, read_tensors(folder / WEIGHTS), str(folder / WEIGHTS))
        return LoadedModel(found.recipe, model.to(device).eval(), found.tokenizers, found.manifest)

    return in_one_generation(folder, read)


def describe_model_folder(folder: Path) -> ModelDescription:
    """Read and verify a model folder without the values of its weights.

    Memory use is limited by the sizes of the files.

    Raises:
        See `load_model_folder`.
    """
    return in_one_generation(folder, lambda: _describe(folder))


def _describe(folder: Path) -> ModelDescription:
    manifest = verify_folder(folder, "model")
    for name in (RECIPE, WEIGHTS):
        if name not in manifest.files:
            raise CheckpointError(f"{folder}: incomplete model, its manifest has no {name}")
    recipe = load_settings(Recipe, read_toml(folder / RECIPE), str(folder / RECIPE))
    tokenizers = Tokenizers.load(folder)
    if manifest.made_from.get("tokenizer") != tokenizers.digest:
        raise CheckpointError(
            f"{folder}: its tokenizer is not the one that the model was trained with"
        )
    with torch.device("meta"):
        model = build_model(recipe, tokenizers)
    _check_size(folder / WEIGHTS, 4 * count_parameters(model))
    shapes = weight_shapes(folder / WEIGHTS)
    expected = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    for name in sorted(shapes.keys() | expected.keys()):
        if shapes.get(name) != expected.get(name):
            raise CheckpointError(
                f"{folder / WEIGHTS}: {name:.80} has the shape {shapes.get(name)}, "
                f"expected {expected.get(name)} as in the recipe"
            )
    return ModelDescription(recipe, tokenizers, manifest, shapes)


def reading_of(loaded: LoadedModel) -> Reading:
    """Return the attention weights that alignments are read from.

    They are those that were recorded, or else those of the heads that align best.

    Raises:
        CheckpointError: the manifest records something else.
    """
    layers, _ = loaded.model.attention_shape or (1, 1)
    chosen = loaded.manifest.facts.get(READING)
    if chosen is None:
        return BEST_HEADS
    try:
        reading = load_settings(Reading, chosen, f"{READING} in the manifest of the model")
    except ConfigError as error:
        raise CheckpointError(str(error)) from error
    if (reading.layer or 1) > layers:
        raise CheckpointError(
            f"{READING} in the manifest of the model: layer {reading.layer}, but its decoder "
            f"attends with {layers}"
        )
    return reading


def record_reading(folder: Path, reading: Reading) -> None:
    """Record in the manifest of a model folder which attention weights alignments are read from.

    The folder is replaced atomically; its other files stay as they are.

    Raises:
        See `load_model_folder`; and StorageError if the disk is full or a write failed.
    """
    _rewrite(folder, {READING: reading.model_dump()}, {})


def record_shortlist(folder: Path, shortlist: Shortlist) -> None:
    """Write a shortlist into a model folder, instead of the one that it has.

    The folder is replaced atomically; its other files stay as they are.

    Raises:
        See `load_model_folder`; and StorageError if the disk is full or a write failed.
    """
    tensors = {"common": shortlist.common.int(), "best": shortlist.best.int()}
    _rewrite(folder, {}, {SHORTLIST: encode_tensors(tensors)})


def read_shortlist(folder: Path, loaded: LoadedModel) -> Shortlist:
    """Return the shortlist of a model, on the device of its weights.

    Raises:
        MissingInputError: the model has none; the message says how to make one.
        CheckpointError: it is damaged, or it does not belong to the model.
    """
    if SHORTLIST not in loaded.manifest.files:
        raise MissingInputError(
            f"{folder}: no shortlist here; make one: s2s inspect alignment --shortlist"
        )
    tensors = read_tensors(folder / SHORTLIST)
    common, best = tensors.get("common"), tensors.get("best")
    if common is None or best is None or common.ndim != 1 or best.ndim != 2:
        raise CheckpointError(f"{folder / SHORTLIST}: not a shortlist")
    source, target = loaded.tokenizers.texts
    every = torch.cat([common, best.flatten()])
    if (
        every.dtype != torch.int32
        or len(best) != source.vocab_size
        or not _are_ids(every, target.vocab_size)
    ):
        raise CheckpointError(f"{folder / SHORTLIST}: not of the vocabularies of this model")
    device = next(loaded.model.parameters()).device
    return Shortlist(common.long(), best.long()).to(device)


def _are_ids(tokens: Tensor, vocab_size: int) -> bool:
    """Whether these are ids of a vocabulary."""
    return bool(((tokens >= 0) & (tokens < vocab_size)).all())


def _rewrite(folder: Path, facts: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Replace a model folder by one with more facts and files, atomically."""
    manifest = verify_folder(folder, "model")
    with new_folder(folder, "model", made_from=manifest.made_from) as draft:
        draft.facts = {**manifest.facts, **facts}
        for name in manifest.files.keys() - files.keys():
            shutil.copyfile(folder / name, draft.path / name)
        for name, content in files.items():
            (draft.path / name).write_bytes(content)


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight, by name, without reading the weights.

    Raises:
        CheckpointError: the file is damaged.
    """
    try:
        with utf8_path(path) as name, safetensors.safe_open(name, "pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not a safetensors file ({error!s:.200})") from error


def _check_size(path: Path, expected: int) -> None:
    """Check that a file has `expected` bytes of weights, and a small header."""
    size = plain_file_size(path)
    if not expected < size < expected + MAX_HEADER_BYTES:
        raise CheckpointError(f"{path}: {size} bytes, expected {expected} for the recipe's weights")


def model_facts(
    model: Seq2Seq,
    step: int,
    seconds: float,
    scores: Mapping[str, float],
    averaged: Sequence[int] = (),
) -> dict[str, Any]:
    """Return the facts for a model's manifest; `averaged` are the steps it is the mean of."""
    return {
        "step": step,
        "minutes": round(seconds / 60, 1),
        "parameters": count_parameters(model),
        "scores": json.loads(json.dumps(dict(scores))),
        **({"averaged": list(averaged)} if averaged else {}),
    }
