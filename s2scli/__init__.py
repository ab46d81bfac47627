"""s2s turns a file of pairs into a working sequence-to-sequence model and a filter that uses it.

from s2scli import load
model = load("workspace/model")
model.translate(["..."])
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from s2scli.translation.api import TextModel

__version__ = "0.1.0"
__all__ = ["load"]


def load(
    folder: "str | Path", *others: "str | Path", device: str = "auto", int8: bool = False
) -> "TextModel":
    """Load a model folder and return something that translates.

    Args:
        folder: a model folder written by `s2s train`, wherever it was copied to.
        others: more of them, for an ensemble: each token is chosen by the mean of the models'
            probabilities.
        device: `cpu`, `cuda` or `auto` (a GPU where there is one).
        int8: multiply by weights of 8 bits, on a processor: faster, and the outputs are nearly
            the same.

    Raises:
        MissingInputError: there is no model in a folder.
        CheckpointError: a folder is damaged or was written by a newer version.
        UsageError: the models do not share a tokenizer.
        ConfigError: there is no such device, or it has no 8-bit products.
    """
    from pathlib import Path

    from s2scli.translation import torch_engine
    from s2scli.translation.api import TextModel

    translator = torch_engine.load(Path(folder), *map(Path, others), device=device, int8=int8)
    return TextModel(translator)
