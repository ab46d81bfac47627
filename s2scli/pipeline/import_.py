"""`s2s import`: turn a model of another program into a model folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2scli.config import Recipe
from s2scli.errors import CheckpointError, ConfigError, LockedError
from s2scli.export.foreign import Foreign, TokenizerFiles
from s2scli.export.sources import read_foreign
from s2scli.manifest import is_published, read_manifest
from s2scli.model.seq2seq import count_parameters
from s2scli.model.weights import check_weights, model_weights
from s2scli.settings import load_settings
from s2scli.translation.model_card import IMPORTED
from s2scli.translation.model_folder import build_model, write_model_folder


@dataclass(frozen=True)
class ImportReport:
    """What was imported.

    Attributes:
        folder: the path of the model folder.
        program: the program that the model comes from.
        parameters: the number of parameters of the model.
        vocabulary: the vocabulary size of each side, or of both if they are joint.
    """

    folder: str
    program: str
    parameters: int
    vocabulary: Mapping[str, int]


def import_model(path: Path, output: Path, name: str, files: TokenizerFiles) -> ImportReport:
    """Write a model folder with the model of another program.

    Args:
        path: the file or folder of the model.
        output: the model folder to write; an older model is replaced.
        name: the name of its recipe.
        files: the tokenizer files, where the other program has no place for them.

    Raises:
        MissingInputError: a file is missing.
        CheckpointError: the model is damaged, or not one that s2s can import.
        TokenizerError: a tokenizer is damaged.
        LockedError: the output folder exists and is not a model.
        StorageError: the disk is full or writing failed.
    """
    _require_room(output)
    found = read_foreign(path, files)
    recipe = recipe_of(found, name, str(path))
    weights, parameters = _checked(found, recipe, str(path))
    facts = {IMPORTED: {"from": path.name, "program": found.program}, "parameters": parameters}
    write_model_folder(output, recipe, weights, found.tokenizers, facts)
    return ImportReport(str(output), found.program, parameters, found.tokenizers.vocab_sizes)


def recipe_of(found: Foreign, name: str, where: str) -> Recipe:
    """Return the recipe of a model of another program.

    Raises:
        CheckpointError: its sizes cannot be those of a model.
    """
    tree = {
        "name": name,
        "description": f"A model of {found.program}, imported by s2s import.",
        "model": found.model,
        "search": found.search,
        "training": {"max_length": found.max_length},
    }
    try:
        return load_settings(Recipe, tree, where)
    except ConfigError as error:
        raise CheckpointError(str(error)) from error


def _checked(found: Foreign, recipe: Recipe, where: str) -> tuple[dict[str, Tensor], int]:
    """Return the weights of the model, tied ones once, and their number.

    Raises:
        CheckpointError: they do not fit the settings.
    """
    try:
        with torch.device("meta"):
            model = build_model(recipe, found.tokenizers)
    except ConfigError as error:
        raise CheckpointError(f"{where}: {error}") from error
    own = model_weights(model)
    weights = {name: found.weights[name] for name in own if name in found.weights}
    check_weights(own, weights, where)
    return weights, count_parameters(model)


def _require_room(output: Path) -> None:
    """Check that `output` does not exist yet or holds an older model.

    Raises:
        LockedError: it holds something else.
    """
    if not output.exists():
        return
    if not is_published(output) or read_manifest(output, "model").facts.get(IMPORTED) is None:
        raise LockedError(
            f"{output}: exists and is not an imported model; remove it, or choose another folder "
            "with -o"
        )
