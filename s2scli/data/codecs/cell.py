"""Cells that name a file: a sound or a picture, read once and kept beside its name."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class BadCellError(Exception):
    """A cell whose file cannot be used: `reason` is what it is counted under."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Stored(str):
    """A cell whose file is already read; as text, it is the name of the file.

    Equality and hash are those of the name.

    Attributes:
        values: int16 samples [N] of a sound, or uint8 pixels [H, W, C] of a picture.
    """

    __slots__ = ("values",)
    values: NDArray[np.int16] | NDArray[np.uint8]

    def __new__(cls, name: str, values: NDArray[Any]) -> Self:
        """Make a cell from the name of a file and what was read from it."""
        cell = super().__new__(cls, name)
        cell.values = values
        return cell
