"""ONNX as an export target: two graphs that ONNX Runtime runs. Imports no torch."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2scli.artifacts import plain_file_size
from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.extra import require_extra, require_onnx
from s2scli.export.obstacles import transformer_obstacles
from s2scli.export.settings import Quantization, Recommended
from s2scli.tokenizer.tokenizers import Tokenizers

if TYPE_CHECKING:
    from torch import Tensor

    from s2scli.export.onnx_graph import Graph
    from s2scli.model.settings import ModelSettings

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
LIMIT = 2_000_000_000  # bytes of weights in one file; a message of protobuf has less than 2 GiB
ERRORS_ONLY = 3  # level of ONNX Runtime's log


@dataclass(frozen=True)
class Sessions:
    """The graphs of an export in ONNX Runtime.

    Attributes:
        encoder: the `onnxruntime.InferenceSession` of the encoder.
        decoder: that of steps of the decoder.
    """

    encoder: Any
    decoder: Any


class Onnx:
    """Writes, checks and opens folders of ONNX graphs. `Target` documents the methods."""

    kind = "onnx"
    name = "ONNX Runtime"
    quantizes = False  # it quantizes activations by the batch: the others would change an output

    def use(self, folder: str) -> str:
        """Return a command that translates with the export."""
        return f"s2s translate -m {shlex.quote(folder)} < input.txt"

    def require(self) -> Any:
        """Import and return onnxruntime; onnx, which writes the graphs, must be installed too."""
        require_onnx()
        return require_extra("onnxruntime", self.name, self.kind)

    def obstacles(self, settings: "ModelSettings") -> list[str]:
        """Return the reasons why there are no graphs of such a model; empty if there are."""
        return transformer_obstacles(settings, "this export")

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
        """Write the graphs and the tokenizers. The graphs have no limit of positions."""
        from s2scli.export.onnx_graph import decoder_graph, encoder_graph

        _save(encoder_graph(settings, weights), folder / ENCODER)
        _save(decoder_graph(settings, weights), folder / DECODER)
        tokenizers.write(folder)

    def check(self, folder: Path, tokenizers: Tokenizers, positions: int) -> None:
        """Check that the folder holds the files that `write` writes."""
        for name in (ENCODER, DECODER):
            plain_file_size(folder / name)

    def encode(self, folder: Path, texts: Sequence[str]) -> None:
        """Return None: the graphs read token ids."""
        return

    def open(self, folder: Path, device: str, compute_type: str = "default") -> Sessions:
        """Return the sessions of the graphs, which run in the threads that call them."""
        if device not in ("auto", "cpu"):
            raise ConfigError(
                f"--device {device}: s2s runs {self.name} on the CPU only; choose cpu, or use the "
                "model folder, which PyTorch runs on a GPU"
            )
        return Sessions(self._session(folder / ENCODER), self._session(folder / DECODER))

    def _session(self, path: Path) -> Any:
        runtime = require_extra("onnxruntime", self.name, self.kind)
        states = runtime.capi.onnxruntime_pybind11_state
        faults = (
            *(states.Fail, states.InvalidArgument, states.InvalidGraph, states.InvalidProtobuf),
            *(states.NoSuchFile, states.NotImplemented, states.RuntimeException),
        )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_mem_pattern = False  # it remembers every shape, and shapes vary
        options.log_severity_level = ERRORS_ONLY
        try:
            return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except faults as error:
            raise CheckpointError(f"{path}: {self.name} cannot read it ({error!s:.200})") from error


def _save(graph: "Graph", path: Path) -> None:
    """Write a graph; its weights are in a file beside it if one file cannot hold them."""
    beside = {"location": f"{path.name}.data"} if graph.bytes > LIMIT else {}
    require_onnx().save(graph.model(path.stem), path, save_as_external_data=bool(beside), **beside)
