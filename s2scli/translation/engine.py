"""The protocol of an engine: it searches over encoded sources, and knows no cells."""

from collections.abc import Sequence
from typing import Protocol

from s2scli.data.example import TokenIds, Values
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.settings import SearchSettings
from s2scli.translation.options import Wanted


class Engine(Protocol):
    """A model, or several, ready to search; several threads may use it at once."""

    @property
    def settings(self) -> SearchSettings:
        """The model's own search settings."""
        ...

    @property
    def max_source_tokens(self) -> int:
        """Tokens of the longest source that the model was trained on, without the end token."""
        ...

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """Layers and heads whose attention weights it returns; None if there are none."""
        ...

    @property
    def is_latent(self) -> bool:
        """Whether a model has a latent vector; it searches with the mean of it."""
        ...

    def positions(self, length: int) -> int:
        """Return how many encoder states a source of this length has."""
        ...

    def search(
        self, sources: Sequence[Values], settings: SearchSettings, wanted: Wanted
    ) -> list[tuple[Hypothesis, ...]]:
        """Return the `n_best` best outputs of each source, best first.

        Args:
            sources: as the codec encodes them: token ids without an end token, samples, pixels.
            settings: of the search.
            wanted: what to return of each hypothesis.
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
            sources: as the codec encodes them.
            targets: the token ids, one for each source.
            settings: the length penalty of the ranking score is read.
            wanted: what to return of each hypothesis.
        """
        ...
