"""`s2s inspect model`: show the parameters, the recipe and the manifest of a model folder."""

import math
from dataclasses import dataclass
from pathlib import Path

from s2scli.config import Recipe
from s2scli.manifest import Manifest
from s2scli.sides import Sides
from s2scli.translation.model_folder import describe_model_folder


@dataclass(frozen=True)
class Parameter:
    """One tensor of a model: its name and shape."""

    name: str
    shape: tuple[int, ...]

    @property
    def part(self) -> str:
        """The part of the model it belongs to (encoder, decoder, ...)."""
        return self.name.split(".")[0]

    @property
    def count(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class ModelFacts:
    """The contents of a model folder, except for its weights.

    Attributes:
        recipe: the resolved recipe the model was trained with.
        manifest: the manifest: file hashes, recorded facts, and what the model was made from.
        vocab_size: the vocabulary sizes: source and target, or joint.
        sides: what the model reads and writes.
        parameters: the tensors of the model, sorted by name.
        tags: the tags that its sources can have in front of them.
    """

    recipe: Recipe
    manifest: Manifest
    vocab_size: dict[str, int]
    sides: Sides
    parameters: tuple[Parameter, ...]
    tags: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, int]:
        """The number of parameters of each part."""
        counts: dict[str, int] = {}
        for parameter in self.parameters:
            counts[parameter.part] = counts.get(parameter.part, 0) + parameter.count
        return counts


def inspect_model(folder: Path) -> ModelFacts:
    """Describe the model in a folder, without reading its weights.

    Raises:
        MissingInputError: there is no model.
        CheckpointError: a file is missing, damaged or of a newer format.
    """
    found = describe_model_folder(folder)
    return ModelFacts(
        found.recipe,
        found.manifest,
        found.tokenizers.vocab_sizes,
        found.tokenizers.sides,
        tuple(Parameter(name, shape) for name, shape in sorted(found.shapes.items())),
        found.tokenizers.tags,
    )
