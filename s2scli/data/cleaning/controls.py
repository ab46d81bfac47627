"""A repair that removes control characters and the escape sequences of terminals."""

import re
from collections.abc import Sequence

import numpy as np

from s2scli.data.cleaning.pairs import Texts
from s2scli.data.cleaning.rule import Context, Repair

LINE_FEED, DELETE, LAST_C1 = 0x0A, 0x7F, 0x9F
# those that count as white space become a space, so that words stay apart
AS_SPACE = re.compile("[\t\v\f\r\x1c-\x1f\x85]")
REMOVED = re.compile("\x1b\\[[0-9;?]{0,16}[@-~]|[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")


def _apply(side: Texts, context: Context) -> Sequence[str]:
    codes = side.codes
    control = (codes < 0x20) & (codes != LINE_FEED) | (codes >= DELETE) & (codes <= LAST_C1)
    if not control.any():
        return side.texts
    texts = list(side.texts)
    for row in np.flatnonzero(side.counts(control)).tolist():
        texts[row] = REMOVED.sub("", AS_SPACE.sub(" ", texts[row]))
    return texts


CONTROLS = Repair(
    does="remove control characters and escape sequences of terminals",
    apply=_apply,
    is_on=lambda settings: settings.remove_controls,
    flag="--remove-controls",
)
