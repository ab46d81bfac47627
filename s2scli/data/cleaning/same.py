"""A filter on pairs whose target is a copy of the source."""

import numpy as np

from s2scli.data.cleaning.pairs import Pairs, Scores
from s2scli.data.cleaning.rule import Context, Filter


def _score(pairs: Pairs, context: Context) -> Scores:
    sides = zip(pairs.source.texts, pairs.target.texts, strict=True)
    equal = (source == target for source, target in sides)
    return np.fromiter(equal, np.float64, len(pairs))


SAME = Filter(
    measures="1 if both sides are the same text, else 0",
    score=_score,
    limit=lambda settings: 0.0 if settings.drop_same else None,
    flag="--drop-same",
)
