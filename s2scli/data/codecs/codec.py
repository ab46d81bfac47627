"""The protocols of codecs: what the cells of one side mean."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from s2scli.data.batching import Lengths
from s2scli.data.example import TokenIds, Values

if TYPE_CHECKING:
    from torch import Tensor


class SourceCodec(Protocol):
    """Turns the cells of the source into what a model reads."""

    def encode(self, cell: str) -> Values:
        """Return a cell as a model reads it: token ids (without an end token), samples, pixels.

        Raises:
            BadCellError: it names a file that cannot be used.
        """
        ...

    def pad(self, sources: Sequence[Values]) -> "tuple[Tensor, Tensor]":
        """Return sources in one tensor, padded to the longest, and their lengths, [B]."""
        ...

    def length(self, values: Values) -> int:
        """Return the length of a source in a batch; token ids count their end token."""
        ...

    def sizes(self, lengths: Lengths) -> Lengths:
        """Return about how many encoder states sources of these lengths need, [rows].

        The budget of a batch and the longest source are counted in them.
        """
        ...

    def parts(self, cell: str, most: int) -> Sequence[str]:
        """Divide a cell that is too long into cells of at most this size.

        Raises:
            BadCellError: it cannot be divided.
        """
        ...

    def truncate(self, cell: str, most: int) -> str:
        """Return the beginning of a cell, of at most this size.

        Raises:
            BadCellError: it cannot be divided.
        """
        ...

    def labels(self, values: Values, positions: int) -> tuple[str, ...]:
        """Return a name for each encoder state of a source, for display.

        Args:
            values: the source.
            positions: the number of its encoder states.
        """
        ...

    def unknown(self, values: Values) -> int:
        """Return how many of a source's tokens stand for text that the model does not know."""
        ...


class TargetCodec(Protocol):
    """Turns the cells of the target into token ids, and token ids into cells."""

    def encode(self, cell: str) -> TokenIds:
        """Return the token ids of a cell, without an end token.

        Raises:
            BadCellError: it names a file that cannot be used.
        """
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the cell of token ids; end tokens are left out."""
        ...

    def pieces(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        """Return the name of each token, for display."""
        ...
