"""CTranslate2 as an export target. Imports no torch, because running an export needs none."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2scli.devices import choose_device
from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.extra import require_ctranslate2
from s2scli.export.model_bin import check_model
from s2scli.export.obstacles import transformer_obstacles
from s2scli.export.settings import Quantization, Recommended
from s2scli.tokenizer.tokenizers import Tokenizers

if TYPE_CHECKING:
    from torch import Tensor

    from s2scli.model.settings import ModelSettings


class CTranslate2:
    """Writes, checks and opens CTranslate2 model folders. `Target` documents the methods."""

    kind = "ctranslate2"
    name = "CTranslate2"
    quantizes = True

    def use(self, folder: str) -> str:
        """Return a command that translates with the export."""
        return f"s2s translate -m {shlex.quote(folder)} < input.txt"

    def require(self) -> Any:
        """Import and return the package ctranslate2."""
        return require_ctranslate2()

    def obstacles(self, settings: "ModelSettings") -> list[str]:
        """Return the reasons why CTranslate2 cannot run such a model; empty if it can."""
        found = transformer_obstacles(settings, self.name)
        encoder, attention, decoder = settings.encoder, settings.attention, settings.decoder
        if encoder.kind != "transformer" or decoder.kind != "transformer":
            return found
        if attention.kind == "multi_head" and attention.num_heads != decoder.num_heads:
            found.append(
                "its decoders need the same number of heads in attention to the source "
                f"({attention.num_heads} here) and in self-attention ({decoder.num_heads} here)"
            )
        if encoder.norm != decoder.norm:
            found.append("its encoder and decoder must use the same norm, and here they differ")
        elif encoder.epsilon != decoder.epsilon:
            found.append(
                "its encoder and decoder must have the same norm_epsilon; here they differ"
            )
        return found

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
        """Write `model.bin`, `config.json`, the vocabularies and the tokenizers."""
        from s2scli.export.ctranslate2_spec import write_spec

        write_spec(folder, settings, weights, tokenizers, positions, quantization)
        tokenizers.write(folder)

    def check(self, folder: Path, tokenizers: Tokenizers, positions: int) -> None:
        """Check the files before the library reads them, because it trusts them."""
        check_model(folder, tokenizers, positions)

    def encode(self, folder: Path, texts: Sequence[str]) -> None:
        """Return None: the library reads tokens."""
        return

    def open(self, folder: Path, device: str, compute_type: str = "default") -> Any:
        """Return a `ctranslate2.Translator`, with one worker per CPU core or one on a GPU.

        Args:
            folder: an export folder that was checked.
            device: auto (a GPU if there is one), cpu, cuda or cuda:N.
            compute_type: precision of the computation; `default` is that of the weights.
        """
        ctranslate2 = require_ctranslate2()
        if str(folder).encode(errors="replace").decode() != str(folder):
            raise ConfigError(
                f"{folder}: CTranslate2 opens only UTF-8 paths; rename the folder, or use "
                "--engine pytorch"
            )
        chosen = choose_device(device, ctranslate2.get_cuda_device_count(), self.name)
        kind, _, number = chosen.partition(":")
        try:
            return ctranslate2.Translator(
                str(folder),
                device=kind,
                device_index=int(number or 0),
                compute_type=compute_type,
                inter_threads=1 if kind == "cuda" else _cores(),
                intra_threads=1,
            )
        except ValueError as error:
            raise ConfigError(f"{folder}: {error}") from error
        except RuntimeError as error:
            fault = f"{folder}: CTranslate2 cannot read it ({error!s:.200})"
            raise CheckpointError(fault) from error


def _cores() -> int:
    """Return the number of threads to use: OMP_NUM_THREADS, or else this process's cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    mine = getattr(os, "sched_getaffinity", None)
    return len(mine(0)) if mine else os.cpu_count() or 1
