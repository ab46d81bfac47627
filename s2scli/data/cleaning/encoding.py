"""A repair of texts that were decoded with the wrong encoding, such as `Ã¼` for `ü`, by ftfy."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from s2scli.data.cleaning.pairs import Texts
from s2scli.data.cleaning.rule import Context, Repair
from s2scli.errors import MissingExtraError

FIRST_NOT_ASCII = 0x80


@cache
def fixer() -> Callable[[str], str]:
    """Return the function that repairs a text.

    Raises:
        MissingExtraError: ftfy is not installed.
    """
    try:
        from ftfy import fix_encoding
    except ImportError as error:
        raise MissingExtraError("ftfy is not installed: pip install 's2scli[clean]'") from error
    repair: Callable[[str], str] = fix_encoding
    return repair


def _apply(side: Texts, context: Context) -> Sequence[str]:
    rows = np.flatnonzero(side.counts(side.codes >= FIRST_NOT_ASCII)).tolist()
    if not rows:
        return side.texts
    texts, fix = list(side.texts), fixer()
    for row in rows:
        texts[row] = fix(texts[row])
    return texts


ENCODING = Repair(
    does="repair text that was decoded with the wrong encoding",
    apply=_apply,
    is_on=lambda settings: settings.fix_encoding,
    flag="--fix-encoding",
)
