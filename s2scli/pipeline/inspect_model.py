"""`s2s inspect model`: the parameters, the origin and the recipe of a model folder."""

import math
from dataclasses import dataclass
from pathlib import Path

from s2scli.config import Recipe
from s2scli.manifest import Manifest
from s2scli.translation.model_folder import describe_model_folder


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
    """The contents of a model folder, except for its weights.

    Attributes:
        recipe: the resolved recipe it was trained with.
        manifest: its manifest: hashes of its files, what training recorded, what it was made of.
        vocab_size: tokens by side: source and target, or joint.
        parameters: its tensors, by name.
    """

    recipe: Recipe
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
        tuple(Parameter(name, shape) for name, shape in sorted(found.shapes.items())),
    )
