"""A batch of pairs while it is cleaned: its texts, and their characters as one array."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Texts:
    """One side of a batch.

    The characters are held in one array, so that a rule looks at all of them with a few fast
    calls. Each text is followed by a line feed there, so that every row has a character.
    """

    texts: Sequence[str]

    @cached_property
    def codes(self) -> NDArray[np.uint32]:
        """The code points of all texts, each followed by a line feed, [characters]."""
        joined = "\n".join(self.texts) + "\n"
        return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4")

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """The length of each text in characters, [rows]."""
        return np.fromiter(map(len, self.texts), np.int64, len(self.texts))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The index of the first character of each text in `codes`, [rows]."""
        ends = np.cumsum(self.lengths + 1)
        return np.concatenate([[0], ends[:-1]]).astype(np.int64)

    def counts(self, of_characters: Mask) -> NDArray[np.int64]:
        """Return how many characters of each text are True in a mask of `codes`, [rows]."""
        return np.add.reduceat(of_characters, self.starts, dtype=np.int64)


@dataclass(frozen=True)
class Pairs:
    """A batch of pairs, at least one."""

    source: Texts
    target: Texts

    @classmethod
    def of(cls, sources: Sequence[str], targets: Sequence[str]) -> Self:
        """Return the pairs of some sources and their targets."""
        return cls(Texts(sources), Texts(targets))

    @property
    def sides(self) -> tuple[Texts, Texts]:
        """The sources and the targets."""
        return self.source, self.target

    def __len__(self) -> int:
        return len(self.source.texts)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return only these rows, given as indices."""
        indices = rows.tolist()
        if len(indices) == len(self):
            return self
        sources, targets = (side.texts for side in self.sides)
        return self.of([sources[i] for i in indices], [targets[i] for i in indices])
