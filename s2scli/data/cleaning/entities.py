"""A repair that replaces HTML entities by the characters they stand for."""

import html
import re
from collections.abc import Sequence

import numpy as np

from s2scli.data.cleaning.pairs import Mask, Texts
from s2scli.data.cleaning.rule import Context, Repair

ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


def has_ampersand(side: Texts) -> Mask:
    """Return which texts may have an entity, [rows]."""
    return side.counts(side.codes == ord("&")) > 0


def _apply(side: Texts, context: Context) -> Sequence[str]:
    rows = np.flatnonzero(has_ampersand(side)).tolist()
    if not rows:
        return side.texts
    texts = list(side.texts)
    for row in rows:
        texts[row] = ENTITY.sub(lambda found: html.unescape(found[0]), texts[row])
    return texts


ENTITIES = Repair(
    does="replace HTML entities by their characters",
    apply=_apply,
    is_on=lambda settings: settings.unescape_html,
    flag="--unescape-html",
)
