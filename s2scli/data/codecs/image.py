"""The image codecs: a cell is a picture file, read as columns of pixels or as tokens."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from s2scli.data.batching import Lengths
from s2scli.data.codecs.cell import BadCellError, Stored, located
from s2scli.data.codecs.picture_files import data_uri, read_picture
from s2scli.data.example import TokenIds, Values
from s2scli.sides import Picture
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.pictures import PictureTokenizer

if TYPE_CHECKING:
    from torch import Tensor

PER_STATE = 16  # pixels per encoder state: a patch of 4 x 4


@dataclass(frozen=True)
class ImageCodec:
    """Reads picture files as columns of pixels.

    Attributes:
        picture: the shape that pictures are converted to.
        folder: where relative paths are looked up first, before the current folder.
    """

    picture: Picture
    folder: Path | None = None

    def encode(self, cell: str) -> Values:
        """Return the columns of a picture, from left to right, [W, H x C].

        Raises:
            BadCellError: the file is missing, unreadable or too large.
        """
        if isinstance(cell, Stored):
            return cell.values
        return columns_of(read_picture(located(cell, self.folder), self.picture))

    def pad(self, sources: Sequence[Values]) -> "tuple[Tensor, Tensor]":
        """Return columns padded on the right, [B, W, H x C], and the widths, [B]."""
        from s2scli.data.batch import pad_values  # torch takes over a second to import

        return pad_values(sources)

    def length(self, values: Values) -> int:
        """Return the number of columns."""
        return len(values)

    def sizes(self, lengths: Lengths) -> Lengths:
        """Return the number of 4 x 4 patches in pictures of these widths, rounded up."""
        return -(-lengths * self.picture.height // PER_STATE)

    def utterances(self, cell: str) -> Sequence[str]:
        """Return nothing: only recordings have pauses."""
        return ()

    def parts(self, cell: str, most: int) -> Sequence[str]:
        """Refuse to divide a picture.

        Raises:
            BadCellError: always.
        """
        raise BadCellError(
            "too_long",
            f"{cell}: the picture is too large for the model, which accepts at most {most} "
            "patches; make it smaller",
        )

    def truncate(self, cell: str, most: int) -> str:
        """Return the left part of a picture."""
        width = max(1, most * PER_STATE // self.picture.height)
        return Stored(cell, self.encode(cell)[:width])

    def labels(self, values: Values, positions: int, cell: str = "") -> tuple[str, ...]:
        """Return the horizontal position of each encoder state, in pixels."""
        return tuple(f"x{len(values) * index // positions}" for index in range(positions))

    def unknown(self, values: Values) -> int:
        """Return 0: pixels are not tokens."""
        return 0

    @property
    def tags(self) -> Collection[str]:
        """No tags: they stand in front of text."""
        return ()

    def surfaces(self, cell: str) -> list[str]:
        """Return nothing: pictures have no text."""
        return []


@dataclass(frozen=True)
class PictureCodec:
    """Converts pictures to tokens and back."""

    tokenizer: PictureTokenizer
    reverse: ClassVar[bool] = False
    are_words: ClassVar[bool] = False

    def encode(self, cell: str, source: str = "") -> TokenIds:
        """Return the token ids of a picture.

        Raises:
            BadCellError: the file is missing, unreadable or too large.
        """
        picture = self.tokenizer.picture
        columns = ImageCodec(picture).encode(cell)
        return np.array(self.tokenizer.encode(pixels_of(columns, picture)), np.int32)

    def decode(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> str:
        """Decode token ids to a picture; return it as the `data:` URI of a PNG file."""
        return data_uri(self.tokenizer.decode([id for id in token_ids if id != EOS_ID]))

    def decode_with(
        self, token_ids: Sequence[int], replaced: Mapping[int, str], source: Sequence[str] = ()
    ) -> str:
        """Decode token ids to a picture: no text can be in one."""
        return self.decode(token_ids)

    def pieces(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the name of each token."""
        return tuple(self.tokenizer.piece(int(id)) for id in token_ids)


def columns_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert pixels [H, W, C] to columns [W, H x C]."""
    height, width, channels = pixels.shape
    return np.ascontiguousarray(pixels.transpose(1, 0, 2)).reshape(width, height * channels)


def pixels_of(columns: Values, picture: Picture) -> NDArray[np.uint8]:
    """Convert columns [W, H x C] to pixels [H, W, C]."""
    by_column = columns.reshape(len(columns), picture.height, picture.channels)
    return by_column.transpose(1, 0, 2).astype(np.uint8)
