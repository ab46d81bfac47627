"""One pair of a corpus, as cells and as what a model reads."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

TokenIds: TypeAlias = NDArray[np.int32]
Values: TypeAlias = NDArray[Any]
"""A cell as a model reads it: token ids, samples [N], or columns of pixels [W, H x C]."""


@dataclass(frozen=True, slots=True)
class Example:
    """A source, its target, and the line of the input file it came from (the first is 1)."""

    source: str
    target: str
    line: int
