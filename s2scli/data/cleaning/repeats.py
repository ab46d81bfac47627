"""A filter on texts in which one character is repeated many times, such as a line of a table."""

import numpy as np

from s2scli.data.cleaning.pairs import Pairs, Scores, Texts
from s2scli.data.cleaning.rule import Context, Filter

LINE_FEED, SPACE = 10, 32


def _score(pairs: Pairs, context: Context) -> Scores:
    return np.maximum(*map(_longest_runs, pairs.sides)).astype(np.float64)


def _longest_runs(side: Texts) -> Scores:
    """Return the longest run of one character in each text, white space left out, [rows]."""
    codes = side.codes
    differs = np.empty(len(codes), np.bool_)
    differs[0] = True
    np.not_equal(codes[1:], codes[:-1], out=differs[1:])
    differs[side.starts] = True  # a run ends with its text
    starts = np.flatnonzero(differs)
    runs = np.diff(starts, append=len(codes))
    runs[(codes[starts] == SPACE) | (codes[starts] == LINE_FEED)] = 0
    return np.maximum.reduceat(runs, np.searchsorted(starts, side.starts))


REPEATS = Filter(
    measures="longest run of one character",
    score=_score,
    limit=lambda settings: settings.max_repeats or None,
    flag="--max-repeats",
)
