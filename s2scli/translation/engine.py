"""The protocol of an engine, which searches over encoded sources."""

from collections.abc import Sequence
from typing import Protocol

from s2scli.data.example import TokenIds, Values
from s2scli.report.readings import Reading
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.translation.options import Wanted


class Engine(Protocol):
    """A loaded model or ensemble that searches. Several threads may use it at once."""

    @property
    def settings(self) -> SearchSettings:
        """The model's own search settings."""
        ...

    @property
    def max_source_tokens(self) -> int:
        """The maximum source length in training, in tokens without the end token."""
        ...

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """The numbers of layers and heads with attention weights; None without attention."""
        ...

    @property
    def reading(self) -> Reading:
        """The attention weights that alignments are read from."""
        ...

    @property
    def is_latent(self) -> bool:
        """Whether a model has a latent vector; the search uses its mean."""
        ...

    def positions(self, length: int) -> int:
        """Return how many encoder states a source of this length has."""
        ...

    def search(
        self,
        sources: Sequence[Values],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
    ) -> list[tuple[Hypothesis, ...]]:
        """Return the `n_best` best outputs of each source, best first.

        Args:
            sources: the encoded sources: token ids without an end token, samples or pixels.
            settings: the search settings.
            wanted: what to return for each hypothesis.
            rules: what the outputs must contain, and what they must not.
        """
        ...

    def force(
        self,
        sources: Sequence[Values],
        targets: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
    ) -> list[Hypothesis]:
        """Score given targets.

        Args:
            sources: the encoded sources.
            targets: the token ids of the targets, one for each source.
            settings: search settings; only the length penalty and its offset are used.
            wanted: what to return for each hypothesis.
        """
        ...
