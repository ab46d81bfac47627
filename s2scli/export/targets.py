"""Formats that a model can be exported to: a new one is one file and one line here (no torch)."""

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
    """A format that another program runs."""

    @property
    def kind(self) -> str:
        """What the manifest calls a folder of it."""
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
            folder: where.
            settings: of a model without obstacles.
            weights: by name, tied ones under each of theirs, on the CPU.
            tokenizers: whose pieces are the vocabularies.
            positions: tokens that source and target may have, where positions are a table.
            quantization: of the weights; none is float32.
        """
        ...

    def check(self, folder: Path, tokenizers: Tokenizers, positions: int) -> None:
        """Check that a folder holds what `write` could have written.

        Raises:
            CheckpointError: a file is missing or damaged, or not what is written.
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
    """Return where a model of these settings can be exported to, and where not and why."""
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
