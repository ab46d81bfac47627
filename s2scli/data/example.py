"""One pair of a corpus."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

TokenIds: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Example:
    """A source, its target, and its line number in the input file, from 1."""

    source: str
    target: str
    line: int
