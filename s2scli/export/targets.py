"""The formats that a model can be exported to. To add one, add a file and a line in TARGETS."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from s2scli.errors import ConfigError
from s2scli.export.ctranslate2 import CTranslate2
from s2scli.export.huggingface import HuggingFace
from s2scli.export.onnx import Onnx
from s2scli.export.settings import Quantization, Recommended
from s2scli.tokenizer.tokenizers import Tokenizers

if TYPE_CHECKING:
    from torch import Tensor

    from s2scli.model.settings import ModelSettings


class Target(Protocol):
    """An export format and the program that runs it."""

    @property
    def kind(self) -> str:
        """The kind that the manifest of an export folder records."""
        ...

    @property
    def name(self) -> str:
        """The name of the program, as shown to users."""
        ...

    @property
    def quantizes(self) -> bool:
        """Whether the weights can be quantized; otherwise they are float32."""
        ...

    def use(self, folder: str) -> str:
        """Return a command, or a line of Python, that uses the export in `folder`."""
        ...

    def require(self) -> Any:
        """Import and return the program's package.

        Raises:
            MissingExtraError: the package is not installed.
        """
        ...

    def obstacles(self, settings: "ModelSettings") -> list[str]:
        """Return the reasons why the program cannot run such a model; empty if it can."""
        ...

    def write(
        self,
        folder: Path,
        settings: "ModelSettings",
        weights: "Mapping[str, Tensor]",
        tokenizers: Tokenizers,
        positions: int,
        quantization: Quantization,
        recommended: Recommended,
    ) -> None:
        """Write a model and its tokenizers into an existing folder.

        Args:
            folder: the folder to write into.
            settings: model settings for which `obstacles` is empty.
            weights: the weights on the CPU, tied ones under each of their names.
            tokenizers: the tokenizers; their pieces are the vocabularies.
            positions: the maximum length of source and target, for the position tables.
            quantization: how to store the weights; `none` is float32.
            recommended: the search that the folder recommends, where the program reads it.
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
            CheckpointError: the program cannot read the folder.
            ConfigError: the device does not exist or does not support the compute type.
            MissingExtraError: the program is not installed.
        """
        ...

    def encode(self, folder: Path, texts: Sequence[str]) -> list[list[int]] | None:
        """Return the token ids of sources by the program's own tokenizer, end tokens included.

        None if the program has no tokenizer.
        """
        ...


TARGETS: dict[str, Target] = {
    "ctranslate2": CTranslate2(),
    "huggingface": HuggingFace(),
    "onnx": Onnx(),
}


def say_exports(settings: "ModelSettings") -> str:
    """Say for each target whether such a model can be exported to it, and if not, why."""
    return "; ".join(_say(target, settings) for target in TARGETS.values())


def require_exportable(target: Target, settings: "ModelSettings") -> None:
    """Check that a target can run a model with these settings.

    Raises:
        ConfigError: the target cannot run the model; the message says why.
    """
    if target.obstacles(settings):
        raise ConfigError(
            f"this model {_say(target, settings)}; translate with the model folder itself"
        )


def _say(target: Target, settings: "ModelSettings") -> str:
    found = target.obstacles(settings)
    if found:
        return f"cannot be exported to {target.name}: {', and '.join(found)}"
    return f"can be exported to {target.name}"
