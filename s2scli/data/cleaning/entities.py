"""A repair that replaces HTML entities by the characters they stand for."""

import html
import re
from collections.abc import Sequence
from html.entities import html5

import numpy as np

from s2scli.data.cleaning.pairs import Texts
from s2scli.data.cleaning.rule import Context, Repair

ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


def _apply(side: Texts, context: Context) -> Sequence[str]:
    rows = np.flatnonzero(side.counts(side.codes == ord("&"))).tolist()
    if not rows:
        return side.texts
    texts = list(side.texts)
    for row in rows:
        texts[row] = unescaped(texts[row])
    return texts


def unescaped(text: str) -> str:
    """Return a text with characters in place of its entities, all of which end with a semicolon.

    HTML also reads &copy=1 as ©=1, but that is more often a part of a web address.
    """
    return ENTITY.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    """Return what an entity stands for; a name that HTML does not know stays.

    A line break becomes a space, as no line of text has one.
    """
    entity = found[0]
    known = entity[1] == "#" or entity[1:] in html5
    return html.unescape(entity).replace("\n", " ") if known else entity


ENTITIES = Repair(
    does="replace HTML entities by their characters",
    apply=_apply,
    is_on=lambda settings: settings.unescape_html,
    flag="--unescape-html",
)
