"""What the engines of exported models have in common: facts and no attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from s2scli.export.settings import Quantization
from s2scli.report.readings import BEST_HEADS, Reading
from s2scli.search.ranking import normalise
from s2scli.search.settings import SearchSettings
from s2scli.settings import MOST, Settings, setting
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
    def attention_shape(self) -> None:
        """None: the other program returns no attention weights, or those of one layer at most."""
        return

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
