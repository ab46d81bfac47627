"""What the manifest of an export says of its model, for use without PyTorch."""

from s2scli.export.settings import Quantization
from s2scli.search.settings import SearchSettings
from s2scli.settings import Settings, setting


class ExportFacts(Settings):
    """What an engine must know of an exported model."""

    name: str = setting(..., "The recipe's name.")
    quantization: Quantization = setting(..., "Of the weights, by CTranslate2's names.")
    max_source_tokens: int = setting(..., "Tokens of the longest source.", "tokens", ge=1)
    positions: int = setting(..., "Tokens that a source or target may have.", "tokens", ge=1)
    search: SearchSettings = setting(..., "The recipe's search settings.")
