"""One pair of a corpus, as text and as token ids."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

TokenIds: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Example:
    """A source, its target, and the line of the input file it came from (the first is 1)."""

    source: str
    target: str
    line: int
