"""The ONNX engine: exported Transformers in ONNX Runtime, searched by our own search.

Every setting and rule of the search works as in PyTorch, and attention weights are those of the
model. It runs on the CPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from s2scli.data.codecs import source_codec
from s2scli.data.example import TokenIds, Values
from s2scli.errors import CheckpointError
from s2scli.export.onnx import Sessions
from s2scli.export.targets import TARGETS
from s2scli.manifest import in_one_generation
from s2scli.report.readings import Reading
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.export_engine import ExportEngine, ExportFacts, read_export
from s2scli.translation.model_search import ModelSearch
from s2scli.translation.onnx_model import OnnxModel
from s2scli.translation.options import Wanted
from s2scli.translation.translator import Translator

TARGET = TARGETS["onnx"]
CPU = torch.device("cpu")


def load(folder: Path, device: str = "auto") -> Translator:
    """Load and verify an export.

    Raises:
        MissingInputError: there is no export.
        CheckpointError: a file is missing or damaged, or the files do not belong together.
        TokenizerError: a tokenizer is damaged.
        ConfigError: the device is not the CPU.
        MissingExtraError: ONNX Runtime is not installed.
    """

    def read() -> Translator:
        export, tokenizers = read_export(folder, TARGET)
        engine = OnnxEngine.of(TARGET.open(folder, device), tokenizers, export.facts)
        return Translator.of(engine, tokenizers, [export.manifest.digest])

    return in_one_generation(folder, read)


@dataclass(frozen=True)
class OnnxEngine(ExportEngine):
    """An exported model in ONNX Runtime; `program` is an `OnnxModel`.

    Attributes:
        searcher: searches the model.
    """

    searcher: ModelSearch = field(init=False)

    def __post_init__(self) -> None:
        """Start the threads of the search."""
        found = ModelSearch(self.program, CPU, source_codec(self.tokenizers.source))
        object.__setattr__(self, "searcher", found)

    @classmethod
    def of(cls, sessions: Sessions, tokenizers: Tokenizers, facts: ExportFacts) -> "OnnxEngine":
        """Return the engine of the graphs of an export.

        Raises:
            CheckpointError: they are not the graphs that an export has, or of other tokenizers.
        """
        model = OnnxModel(sessions)
        expected = tokenizers.target.vocab_size
        if model.vocab_size != expected:
            raise CheckpointError(
                f"the graphs write {model.vocab_size:,} tokens, and the tokenizer has "
                f"{expected:,}: they do not belong together"
            )
        return cls(model, tokenizers, facts)

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """The numbers of layers and of heads with attention weights."""
        model: OnnxModel = self.program
        return model.attention_shape

    @property
    def reading(self) -> Reading:
        """The attention weights that alignments are read from."""
        return self.facts.reading

    def search(
        self,
        sources: Sequence[Values],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
    ) -> list[tuple[Hypothesis, ...]]:
        """Return the `n_best` best outputs of each source; see `ModelSearch.search`."""
        return self.searcher.search(sources, settings, wanted, rules)

    def force(
        self,
        sources: Sequence[Values],
        targets: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
    ) -> list[Hypothesis]:
        """Score given targets: return a hypothesis with token scores and first choices for each."""
        return self.searcher.force(sources, targets, settings, wanted)
