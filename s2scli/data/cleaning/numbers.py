"""A filter on pairs whose numbers or web addresses differ."""

import re
from collections import Counter

import numpy as np

from s2scli.data.cleaning.pairs import Mask, Pairs, Scores, Texts
from s2scli.data.cleaning.rule import Context, Filter

URL = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]", re.IGNORECASE)
# digits with separators between them: 1,000.5 and 1 000,5 are the same number
NUMBER = re.compile("\\d+(?:[.,'\u2019\u00a0\u202f]\\d+)*")
NOT_DIGIT = re.compile(r"\D+")
ASCII_DIGITS = ord("0"), ord("9")
FIRST_OTHER_DIGIT = 0x660


def anchors(text: str) -> Counter[str]:
    """Return the numbers and web addresses of a text, with their counts.

    A number is its digits, without separators and leading zeros. Spelled numbers are not found.
    """
    found = Counter(URL.findall(text))
    if found:
        text = URL.sub(" ", text)
    for number in NUMBER.findall(text):
        found[str(int(NOT_DIGIT.sub("", number)[:100]))] += 1
    return found


def may_have_anchors(side: Texts) -> Mask:
    """Return which texts may have a number or a web address, [rows]."""
    codes = side.codes
    digits = (codes >= ASCII_DIGITS[0]) & (codes <= ASCII_DIGITS[1])
    return side.counts(digits | (codes == ord(":")) | (codes >= FIRST_OTHER_DIGIT)) > 0


def _score(pairs: Pairs, context: Context) -> Scores:
    scores = np.zeros(len(pairs))
    may = may_have_anchors(pairs.source) | may_have_anchors(pairs.target)
    for row in np.flatnonzero(may).tolist():
        source, target = anchors(pairs.source.texts[row]), anchors(pairs.target.texts[row])
        total = source.total() + target.total()
        if total and source != target:
            scores[row] = ((source - target).total() + (target - source).total()) / total
    return scores


NUMBERS = Filter(
    measures="share of the numbers and web addresses that only one side has",
    score=_score,
    limit=lambda settings: settings.max_unmatched,
    flag="--max-unmatched",
)
