"""Cells of sound and pictures, and the error for cells that cannot be used."""

import hashlib
import os
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from s2scli.data.example import Values

URI = "data:"


def is_uri(cell: str) -> bool:
    """Whether a cell holds the content of a sound or picture itself, and is no path."""
    return cell.startswith(URI)


class Stored(str):
    """A cell whose content has been read; its text is its name.

    Attributes:
        values: the content, as model input.
        start: for a part of a recording, its start in the whole recording, in seconds.
    """

    values: Values
    start: float

    def __new__(cls, name: str, values: Values, start: float = 0.0) -> Self:
        """Create a cell with this name and content."""
        cell = super().__new__(cls, name)
        cell.values, cell.start = values, start
        return cell

    def __reduce__(self) -> tuple[type[Self], tuple[str, Values, float]]:
        """Return how `copy` and `pickle` make the cell again."""
        return type(self), (str(self), self.values, self.start)


class Recorded(str):
    """A cell with a recording from memory; its text is a name for messages.

    Attributes:
        samples: int16 samples, or floats with full scale at 1, [N] or [N, channels].
        rate: samples per second.
    """

    samples: NDArray[Any]
    rate: int

    def __new__(cls, name: str, samples: NDArray[Any], rate: int) -> Self:
        """Create a cell with this name and recording."""
        cell = super().__new__(cls, name)
        cell.samples, cell.rate = samples, rate
        return cell

    def __reduce__(self) -> tuple[type[Self], tuple[str, NDArray[Any], int]]:
        """Return how `copy` and `pickle` make the cell again."""
        return type(self), (str(self), self.samples, self.rate)


class Relative(str):
    """A cell of a table: a relative path, which is looked up in a folder first.

    Attributes:
        folder: the folder of the table.
    """

    folder: Path

    def __new__(cls, cell: str, folder: Path) -> Self:
        """Create a cell with this text and folder."""
        made = super().__new__(cls, cell)
        made.folder = folder
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, Path]]:
        """Return how `copy` and `pickle` make the cell again."""
        return type(self), (str(self), self.folder)


def beside(cell: str, folder: Path | None) -> str:
    """Return a cell of a table in this folder; one that was read, or has a folder, is unchanged."""
    if folder is None or isinstance(cell, Stored | Recorded | Relative):
        return cell
    return Relative(cell, folder)


def values_of(cell: str) -> Values:
    """Return the content of a cell of the corpus, which is stored with it."""
    assert isinstance(cell, Stored), "cells of sound and pictures are stored with their content"
    return cell.values


def key_of(cell: str) -> str:
    """Return what tells a cell apart from others.

    It is its text; of a sound or picture that has been read, its name and a digest of its content,
    as files in several folders can have the same name.
    """
    if not isinstance(cell, Stored):
        return cell
    return f"{cell} {hashlib.sha256(cell.values.tobytes()).hexdigest()}"


def located(cell: str, folder: Path | None) -> str:
    """Return the path that a cell names: in `folder` if it exists there, otherwise unchanged.

    A relative cell has a folder of its own. Cells that hold their content (`data:` URIs) are
    returned unchanged.
    """
    if isinstance(cell, Relative):
        folder = cell.folder
    if folder is None or is_uri(cell) or not os.path.lexists(folder / cell):
        return cell
    return str(folder / cell)


class BadCellError(Exception):
    """A sound or a picture that cannot be used; the message names it and says why.

    Attributes:
        reason: the name under which dropped rows are counted: missing, unreadable, silent,
            too_short, too_long or too_large.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
