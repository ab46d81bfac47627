"""The formats that a model can be exported to: a new one is a file and a line in TARGETS."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from s2scli.errors import ConfigError
from s2scli.export.ctranslate2 import CTranslate2
from s2scli.export.settings import Quantization
from s2scli.tokenizer.tokenizers import Tokenizers

if TYPE_CHECKING:
    from torch import Tensor

    from s2scli.model.settings import ModelSettings


class Target(Protocol):
    """An export format, and the program that runs it."""

    @property
    def kind(self) -> str:
        """The kind of folder in the manifest of an export."""
        ...

    @property
    def name(self) -> str:
        """The name of the program, as people write it."""
        ...

    def require(self) -> Any:
        """Return the program's package.

        Raises:
            MissingExtraError: it is not installed.
        """
        ...

    def obstacles(self, settings: "ModelSettings") -> list[str]:
        """Return why the program cannot run a model of these settings; empty where it can."""
        ...

    def write(
        self,
        folder: Path,
        settings: "ModelSettings",
        weights: "Mapping[str, Tensor]",
        tokenizers: Tokenizers,
        positions: int,
        quantization: Quantization,
    ) -> None:
        """Write a model into an existing folder.

        Args:
            folder: the folder to write into.
            settings: model settings without obstacles.
            weights: the weights on the CPU, tied ones under each of their names.
            tokenizers: their pieces are the vocabularies.
            positions: the maximum length of source and target, for tables of positions.
            quantization: how the weights are stored; none is float32.
        """
        ...

    def check(self, folder: Path, tokenizers: Tokenizers, positions: int) -> None:
        """Check that a folder holds what `write` could have written.

        Raises:
            CheckpointError: a file is missing, damaged, or not one that `write` writes.
        """
        ...

    def open(self, folder: Path, device: str, compute_type: str = "default") -> Any:
        """Return the program's translator for a checked folder.

        Raises:
            CheckpointError: the program cannot read it.
            ConfigError: there is no such device, or it lacks the arithmetic.
            MissingExtraError: the program is not installed.
        """
        ...


TARGETS: dict[str, Target] = {"ctranslate2": CTranslate2()}


def say_exports(settings: "ModelSettings") -> str:
    """Return the targets that a model of these settings can be exported to, and why not others."""
    return "; ".join(_say(target, settings) for target in TARGETS.values())


def require_exportable(target: Target, settings: "ModelSettings") -> None:
    """Check that a target can run a model of these settings.

    Raises:
        ConfigError: it cannot; the message says why.
    """
    if target.obstacles(settings):
        raise ConfigError(f"this model {_say(target, settings)}")


def _say(target: Target, settings: "ModelSettings") -> str:
    found = target.obstacles(settings)
    if found:
        return f"cannot be exported to {target.name}: {', and '.join(found)}"
    return f"can be exported to {target.name}"
