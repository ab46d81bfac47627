"""The settings of exports and engines. Imports no torch, so that `--help` is fast."""

from dataclasses import dataclass
from typing import Literal

from s2scli.settings import MOST, Settings, setting

TargetName = Literal["ctranslate2", "huggingface", "onnx"]
Engine = Literal["auto", "pytorch", "ctranslate2", "onnx"]
Quantization = Literal[
    "none",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
]


@dataclass(frozen=True)
class Recommended:
    """The settings of the search that an export recommends to the program that runs it.

    Attributes:
        beam_size: hypotheses kept at each step.
        length_penalty: exponent of the length, by which log-probabilities are divided.
        no_repeat_ngram: size of the n-grams that no output repeats, in tokens; 0 allows repeats.
    """

    beam_size: int
    length_penalty: float
    no_repeat_ngram: int


class ExportSettings(Settings):
    """The format of an export, and how the export is verified."""

    panel = "Export"

    to: TargetName = setting(
        "ctranslate2",
        "Program to export the model to: ctranslate2, huggingface (a MarianMTModel for "
        "Transformers; models with norms after the sublayers and sinusoidal positions), or onnx "
        "(graphs of the encoder and of a step of the decoder, for ONNX Runtime).",
    )
    quantization: Quantization = setting(
        "none",
        "How CTranslate2 stores the weights: none (float32), int8, int8_float32, int8_float16, "
        "int8_bfloat16, int16, float16, bfloat16 or float32.",
    )
    lines: int = setting(
        200,
        "With --verify: number of lines to translate, from the start of the file.",
        "lines",
        ge=1,
        le=MOST,
    )
    tolerance: float = setting(
        0.5,
        "With --verify: do not export if the export's BLEU is lower than the model's by more than "
        "this.",
        "BLEU",
        ge=0.0,
        le=100.0,
    )


class EngineSettings(Settings):
    """The engine that runs the model."""

    panel = "Engine"

    engine: Engine = setting(
        "auto",
        "Engine that runs the model: pytorch, ctranslate2 with the export from `s2s export`, or "
        "onnx with that from `s2s export --to onnx`; auto selects ctranslate2 if it is installed, "
        "the export was made from this model, and no flag needs PyTorch.",
    )
    int8: bool = setting(
        False,
        "Use 8-bit weights in PyTorch on a CPU: faster, with nearly the same outputs.",
    )
    shortlist: bool = setting(
        False,
        "Let each source token choose the target tokens that are computed, in PyTorch, with nearly "
        "the same outputs. It pays only with a vocabulary of tens of thousands of tokens. It needs "
        "the shortlist from `s2s inspect alignment --shortlist`.",
    )
