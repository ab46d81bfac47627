"""One pair of a corpus, as cells and as model input."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

TokenIds: TypeAlias = NDArray[np.int32]
Values: TypeAlias = NDArray[Any]
"""A cell as a model reads it: token ids, samples [N], or columns of pixels [W, H x C]."""


@dataclass(frozen=True, slots=True)
class Example:
    """A pair of a corpus.

    Attributes:
        source: the source.
        target: its target.
        line: its line number in the input file, from 1.
        group: examples of the same group stay in one split; empty groups equal sources.
        tag: the tag to put in front of the source; empty for none.
    """

    source: str
    target: str
    line: int
    group: str = ""
    tag: str = ""
