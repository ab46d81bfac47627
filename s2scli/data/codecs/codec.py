"""The protocols of codecs, which convert the cells of one side."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from s2scli.data.batching import Lengths
from s2scli.data.example import TokenIds, Values

if TYPE_CHECKING:
    from torch import Tensor


class SourceCodec(Protocol):
    """Converts the cells of the source to model input."""

    @property
    def tags(self) -> Collection[str]:
        """The tags that can stand in front of a cell; sound and pictures have none."""
        ...

    def encode(self, cell: str) -> Values:
        """Return the model input for a cell: token ids (without an end token), samples or pixels.

        Raises:
            BadCellError: the cell names a file that cannot be used.
        """
        ...

    def pad(self, sources: Sequence[Values]) -> "tuple[Tensor, Tensor]":
        """Return sources in one tensor, padded to the longest one, and their lengths, [B]."""
        ...

    def length(self, values: Values) -> int:
        """Return the length of a source in a batch; for token ids, with the end token."""
        ...

    def sizes(self, lengths: Lengths) -> Lengths:
        """Return the approximate number of encoder states for sources of these lengths, [rows].

        The batch budget and the maximum source length use this unit.
        """
        ...

    def utterances(self, cell: str) -> Sequence[str]:
        """Divide a recording at pauses of seconds; return nothing if there are none.

        Text and pictures are never divided.
        """
        ...

    def parts(self, cell: str, most: int) -> Sequence[str]:
        """Divide a cell that is too long into cells of at most this size.

        Parts of a text keep the white space around them, which does not count: joined, they are
        the text.

        Raises:
            BadCellError: the cell cannot be divided.
        """
        ...

    def truncate(self, cell: str, most: int) -> str:
        """Return the beginning of a cell, of at most this size.

        Raises:
            BadCellError: the cell cannot be divided.
        """
        ...

    def labels(self, values: Values, positions: int, cell: str = "") -> tuple[str, ...]:
        """Return a name for each encoder state of a source, for display.

        Args:
            values: the source.
            positions: the number of its encoder states.
            cell: the cell.
        """
        ...

    def unknown(self, values: Values) -> int:
        """Return the number of unknown tokens in a source."""
        ...

    def surfaces(self, cell: str) -> list[str]:
        """Return the text of each token of a source; sound and pictures have none."""
        ...


class TargetCodec(Protocol):
    """Converts the cells of the target to token ids, and token ids to cells."""

    @property
    def reverse(self) -> bool:
        """Whether the tokens are in the order from right to left."""
        ...

    @property
    def are_words(self) -> bool:
        """Whether each token is a word, with a space before it."""
        ...

    def encode(self, cell: str, source: str = "") -> TokenIds:
        """Return the token ids of a cell, without an end token.

        Args:
            cell: the cell.
            source: its source, whose tokens a model that copies can copy.

        Raises:
            BadCellError: the cell names a file that cannot be used.
        """
        ...

    def decode(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> str:
        """Return the cell for token ids; end tokens are ignored.

        Args:
            token_ids: the ids.
            source: the pieces of the source, for a model that copies.
        """
        ...

    def decode_with(
        self, token_ids: Sequence[int], replaced: Mapping[int, str], source: Sequence[str] = ()
    ) -> str:
        """Return the cell for token ids, with other texts for the tokens at some indices."""
        ...

    def pieces(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> tuple[str, ...]:
        """Return a readable name for each token; `source` is as for `decode`."""
        ...
