"""The part of `s2s inspect tokenizer` that shows pictures."""

from dataclasses import dataclass, field

import numpy as np

from s2scli.data.codecs.cell import BadCellError
from s2scli.data.codecs.picture_files import Pixels, read_picture
from s2scli.errors import MissingInputError
from s2scli.tokenizer.pictures import PictureTokenizer, reconstruction_error


@dataclass(frozen=True)
class TokenizedPicture:
    """A picture and its tokens.

    Attributes:
        name: the path of the picture.
        rows: the pieces of its tokens, row by row.
        ids: the ids of the tokens.
        error: mean squared error of the decoded picture, for pixels from 0 to 1.
        pixels: the picture at the size of the tokenizer.
        decoded: the picture that the tokens decode to.
    """

    name: str
    rows: tuple[tuple[str, ...], ...]
    ids: tuple[int, ...]
    error: float
    pixels: Pixels = field(repr=False)
    decoded: Pixels = field(repr=False)

    def as_json(self) -> dict[str, object]:
        """Convert to a JSON document without the pixels."""
        return {"picture": self.name, "rows": self.rows, "ids": self.ids, "error": self.error}


def tokenize_picture(tokenizer: PictureTokenizer, name: str) -> TokenizedPicture:
    """Read and tokenize a picture, and decode its tokens.

    Raises:
        MissingInputError: the file is missing, unreadable or too large.
        MissingExtraError: Pillow is not installed.
    """
    try:
        pixels = read_picture(name, tokenizer.picture)
    except BadCellError as error:
        raise MissingInputError(str(error)) from error
    ids = tokenizer.encode(pixels)
    pieces = np.array([tokenizer.piece(id) for id in ids]).reshape(-1, tokenizer.grid.columns)
    return TokenizedPicture(
        name,
        tuple(tuple(row) for row in pieces.tolist()),
        tuple(ids),
        reconstruction_error(tokenizer, [pixels]),
        pixels,
        tokenizer.decode(ids),
    )
