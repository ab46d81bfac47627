"""Filters on the lengths of a pair, in characters."""

import numpy as np

from s2scli.data.cleaning.pairs import Pairs, Scores, Texts
from s2scli.data.cleaning.rule import Context, Filter
from s2scli.data.codecs.cell import is_uri


def _longest(pairs: Pairs, context: Context) -> Scores:
    known = context.settings
    source = _measured(pairs.source, known.source_kind)
    longer: Scores = np.maximum(source, _measured(pairs.target, known.target_kind))
    return longer


def _measured(side: Texts, kind: str) -> Scores:
    """Return the characters of each cell; a sound or picture in a data: URI has none."""
    lengths = side.lengths.astype(np.float64)
    if kind != "text":
        lengths[[is_uri(text) for text in side.texts]] = 0
    return lengths


def _ratio(pairs: Pairs, context: Context) -> Scores:
    lengths = pairs.source.lengths, pairs.target.lengths
    return np.asarray(np.maximum(*lengths) / np.maximum(np.minimum(*lengths), 1))


LENGTH = Filter(
    measures="characters of the longer side",
    score=_longest,
    limit=lambda settings: settings.max_length,
    flag="--max-length",
    any_kind=True,
)
RATIO = Filter(
    measures="length of the longer side / length of the shorter side",
    score=_ratio,
    limit=lambda settings: settings.max_length_ratio,
    flag="--max-length-ratio",
)
