"""Text measured in terminal cells: cut, padded and stacked vertically."""

import re
import unicodedata

from rich.cells import cell_len

from s2scli.report.console import visible

ELLIPSIS = "…"
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
# Terminals disagree about the width of an emoji with a variation selector or a joiner.
UNMEASURABLE = re.compile(r"[\ufe0e\ufe0f]|(?<=[\u2190-\u2bff\U0001f000-\U0001faff])\u200d")
RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def label(text: str) -> str:
    """Return `text` as a label, without control characters and equally wide on all terminals.

    A combining mark at the beginning gets a dotted circle as its base.
    """
    shown = UNMEASURABLE.sub("", visible(text))
    return f"◌{shown}" if shown and cell_len(shown[0]) == 0 else shown


def clusters(text: str) -> list[str]:
    """Return the characters of `text`, each with the zero-width marks that follow it."""
    found: list[str] = []
    for character in text:
        if found and cell_len(character) == 0:
            found[-1] += character
        else:
            found.append(character)
    return found


def cut(text: str, width: int) -> str:
    """Return `text`, cut with an ellipsis if it is wider than `width` cells."""
    if cell_len(text) <= width:
        return text
    kept, room = "", width - 1
    for cluster in clusters(text):
        room -= cell_len(cluster)
        if room < 0:
            break
        kept += cluster
    return kept + ELLIPSIS


def pad(text: str, width: int) -> str:
    """Return `text` cut or padded to exactly `width` cells, isolated if it is right-to-left."""
    kept = cut(text, width)
    return isolated(kept) + " " * (width - cell_len(kept))


def isolated(text: str) -> str:
    """Return `text`, in a bidi isolate if it is right-to-left, so that it reorders nothing else."""
    if any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in text):
        return f"{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}"
    return text


def stacked(labels: list[str], cell_width: int, max_height: int) -> list[list[str]]:
    """Return labels written vertically, side by side and aligned at the bottom.

    Each line is a list with one text of `cell_width` cells for each label.
    """
    columns = [_shortened(clusters(text), max_height) for text in labels]
    height = max(1, *(len(column) for column in columns))
    rows = zip(*([""] * (height - len(column)) + column for column in columns), strict=True)
    return [[pad(cluster, cell_width) for cluster in row] for row in rows]


def _shortened(column: list[str], max_height: int) -> list[str]:
    return column if len(column) <= max_height else [*column[: max_height - 1], "⋮"]
