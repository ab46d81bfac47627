"""The settings of exports and engines; it imports no torch, as flags are made from them."""

from typing import Literal

from s2scli.settings import MOST, Settings, setting

TargetName = Literal["ctranslate2"]
Engine = Literal["auto", "pytorch", "ctranslate2"]
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


class ExportSettings(Settings):
    """What a model is exported to, and how the export is verified."""

    panel = "Export"

    to: TargetName = setting("ctranslate2", "What will run the model: ctranslate2.")
    quantization: Quantization = setting(
        "none",
        "How CTranslate2 stores the weights: none (float32), int8, int8_float32, int8_float16, "
        "int8_bfloat16, int16, float16, bfloat16 or float32.",
    )
    lines: int = setting(
        200, "With --verify: translate the first lines of the file.", "lines", ge=1, le=MOST
    )
    tolerance: float = setting(
        0.5,
        "With --verify: export nothing if the export's BLEU is lower than the model's by more "
        "than this.",
        "BLEU",
        ge=0.0,
        le=100.0,
    )


class EngineSettings(Settings):
    """What runs the model."""

    panel = "Engine"

    engine: Engine = setting(
        "auto",
        "What runs the model: pytorch, or ctranslate2 with the export that `s2s export` wrote; "
        "auto takes ctranslate2 if it is installed, the export is of this model, and no flag needs "
        "PyTorch.",
    )
    int8: bool = setting(
        False,
        "Multiply with 8-bit weights, in PyTorch on a CPU: faster, and the outputs are nearly the "
        "same.",
    )
