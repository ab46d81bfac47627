"""What exports have in common: their facts, how they are read, and the base of their engines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.settings import Quantization, Recommended
from s2scli.export.targets import Target
from s2scli.manifest import Manifest, verify_folder
from s2scli.report.readings import BEST_HEADS, Reading
from s2scli.search.ranking import normalise
from s2scli.search.settings import SearchSettings
from s2scli.settings import MOST, Settings, load_settings, setting
from s2scli.tokenizer.tokenizers import Tokenizers


class ExportFacts(Settings):
    """Facts in the manifest of an export, which make it usable without PyTorch."""

    name: str = setting(..., "The recipe's name.")
    quantization: Quantization = setting(
        ..., "Type of the stored weights, as CTranslate2 names it."
    )
    max_source_tokens: int = setting(..., "Maximum source length.", "tokens", ge=1, le=MOST)
    positions: int = setting(..., "Maximum length of source and target.", "tokens", ge=1, le=MOST)
    search: SearchSettings = setting(..., "The recipe's search settings.")
    reading: Reading = setting(
        BEST_HEADS, "The attention weights that alignments are read from, if the program has them."
    )

    @property
    def recommended(self) -> Recommended:
        """The search that the folder recommends to its program."""
        search = self.search
        return Recommended(search.beam_size, search.length_penalty, search.no_repeat_ngram)


@dataclass(frozen=True)
class Export:
    """An export: its folder and its manifest.

    Attributes:
        folder: the folder.
        manifest: its manifest.
        facts: the facts in the manifest.
    """

    folder: Path
    manifest: Manifest
    facts: ExportFacts

    @classmethod
    def of(cls, folder: Path, manifest: Manifest) -> Self:
        """Read the facts of a manifest.

        Raises:
            CheckpointError: the manifest is not that of an export.
        """
        tree = dict(manifest.facts)
        if "places" in tree:  # its name in version 0.1
            tree["positions"] = tree.pop("places")
        try:
            facts = load_settings(ExportFacts, tree, str(folder))
        except ConfigError as error:
            raise CheckpointError(f"{error}; not an export of s2s") from error
        return cls(folder, manifest, facts)


def read_export(folder: Path, target: Target) -> tuple[Export, Tokenizers]:
    """Verify an export and read its facts and tokenizers; its program need not be installed.

    Args:
        folder: the folder of the export.
        target: the target that it was exported to.

    Raises:
        MissingInputError: there is no export.
        CheckpointError: a file is missing or damaged, or the files do not belong together.
        TokenizerError: a tokenizer is damaged.
    """
    export = Export.of(folder, verify_folder(folder, target.kind))
    tokenizers = Tokenizers.load(folder)
    if export.manifest.made_from.get("tokenizer") != tokenizers.digest:
        raise CheckpointError(f"{folder}: its tokenizer is not the model's")
    target.check(folder, tokenizers, export.facts.positions)
    return export, tokenizers


@dataclass(frozen=True)
class ExportEngine:
    """An exported model in another program, without its search. `Engine` documents the methods.

    Attributes:
        program: the model in that program.
        tokenizers: the tokenizers of the model.
        facts: the facts in the export's manifest.
    """

    program: Any
    tokenizers: Tokenizers
    facts: ExportFacts

    @property
    def settings(self) -> SearchSettings:
        """The recipe's search settings."""
        return self.facts.search

    @property
    def max_source_tokens(self) -> int:
        """The maximum source length in training, in tokens without the end token."""
        return self.facts.max_source_tokens

    def positions(self, length: int) -> int:
        """Return the length: a token is an encoder state."""
        return length

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """None: most programs return no attention weights, or those of one layer at most."""
        return None

    @property
    def reading(self) -> Reading:
        """The default, as there are no attention weights."""
        return BEST_HEADS

    @property
    def is_latent(self) -> bool:
        """False: a latent model cannot be exported."""
        return False


def ranking_score(token_scores: Sequence[float], settings: SearchSettings) -> float:
    """Return the ranking score of a hypothesis, given its tokens' log-probabilities."""
    exponent, offset = settings.length_penalty, settings.length_offset
    return normalise(sum(token_scores), len(token_scores), exponent, offset)
