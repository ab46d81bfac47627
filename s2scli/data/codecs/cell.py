"""Cells of sound and image sides: content that is already read, and files that cannot be read."""

from typing import Any, Self

from numpy.typing import NDArray


class Stored(str):
    """A cell whose content is already read; as a string it is the cell's name.

    Attributes:
        values: int16 samples [N] at the corpus's rate, or uint8 pixels [H, W, C].
    """

    values: NDArray[Any]

    def __new__(cls, name: str, values: NDArray[Any]) -> Self:
        """Return the cell `name` with its content."""
        cell = super().__new__(cls, name)
        cell.values = values
        return cell


class BadCellError(Exception):
    """A cell that cannot be used: `reason` is what it is counted under, the message the fault."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
