"""The settings of exporting, and of what runs a model (no torch here: flags are made from them)."""

from typing import Literal

from s2scli.settings import Settings, setting

Target = Literal["ctranslate2"]
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
    """What is exported, and what is asked of it."""

    to: Target = setting("ctranslate2", "What shall run the model: ctranslate2.")
    quantization: Quantization = setting(
        "none",
        "Of the weights, by CTranslate2's names: none (as float32), int8, int8_float32, "
        "int8_float16, int8_bfloat16, int16, float16 or bfloat16.",
    )
    lines: int = setting(
        200, "With --verify: the first lines of the file that are tried.", "lines", ge=1
    )
    tolerance: float = setting(
        0.5,
        "With --verify: BLEU that the export may lose against the model; if it loses more, "
        "nothing is exported.",
        "BLEU",
        ge=0.0,
        le=100.0,
    )


class EngineSettings(Settings):
    """What runs the model."""

    engine: Engine = setting(
        "auto",
        "What runs the model: pytorch, or ctranslate2 with what `s2s export` made of it; auto is "
        "ctranslate2 where it is installed, the export is of this model, and nothing asked for "
        "needs the PyTorch search.",
    )
