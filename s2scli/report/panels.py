"""Panels: titled lists of terms with their explanations, as text. Imports no Rich, to be fast."""

import os
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

WIDTH = 28  # the maximum width of the terms
GAP = 2
EDGES = len("│ ") + len(" │")
CYAN, DIM, PLAIN = "\x1b[36m", "\x1b[2m", "\x1b[0m"
NOTE = re.compile(r"\[[^]]*\]$")

Rows = Sequence[tuple[str, str]]


def shows_colours() -> bool:
    """Whether stdout shows colours: a terminal does, unless NO_COLOR or TERM say that it must not.

    FORCE_COLOR makes any stream show colours.
    """
    if os.environ.get("NO_COLOR") or os.name == "nt":
        return False
    capable = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return capable or bool(os.environ.get("FORCE_COLOR"))


def paragraphs_text(paragraphs: Sequence[str], width: int) -> str:
    """Return paragraphs with a blank line around each and a margin of one column."""
    wrapped = [
        "\n".join(f" {line}" for own in text.split("\n") for line in _wrap(own, width - 2))
        for text in paragraphs
    ]
    return "\n" + "\n\n".join(wrapped) + "\n\n"


def panels_text(panels: Mapping[str, Rows], width: int, *, colours: bool) -> str:
    """Return panels whose columns line up.

    Args:
        panels: pairs (term, explanation), by the title of their panel; text in brackets at the
            end of an explanation is dimmed.
        width: the width of the panels, in columns.
        colours: whether to use escape codes.
    """
    widest = max(len(term) for rows in panels.values() for term, _ in rows)
    terms = min(widest, WIDTH, width // 2)
    lines: list[str] = []
    for title, rows in panels.items():
        rule = width - len(title) - EDGES - 1
        lines += [
            f"{DIM}╭─{PLAIN} {title} {DIM}{'─' * rule}╮{PLAIN}",
            *(f"{DIM}│{PLAIN} {line} {DIM}│{PLAIN}" for line in _lines(rows, terms, width)),
            f"{DIM}╰{'─' * (width - 2)}╯{PLAIN}",
        ]
    text = "\n".join(lines) + "\n"
    return text if colours else re.sub(r"\x1b\[\d+m", "", text)


def _lines(rows: Rows, terms: int, width: int) -> Iterator[str]:
    """Yield the lines of a panel, without its edges."""
    rest = max(1, width - EDGES - terms - GAP)
    for term, explanation in rows:
        shown = _dimmed(_wrap(explanation, rest), explanation, rest)
        for name, text in zip_longest(_wrap(term, terms), shown):
            yield f"{CYAN}{name or '':{terms}}{PLAIN}{' ' * GAP}{text or ' ' * rest}"


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(1, width), break_on_hyphens=False) or [""]


def _dimmed(lines: Sequence[str], text: str, width: int) -> list[str]:
    """Return the lines of a text, filled up to the width; a note at its end is dimmed."""
    inside, found = bool(NOTE.search(text)), []
    for line in reversed(lines):
        start = max(line.rfind("["), 0) if inside else len(line)
        inside = inside and "[" not in line
        note = f"{DIM}{line[start:]}{PLAIN}" if start < len(line) else ""
        found.append(f"{line[:start]}{note}{' ' * (width - len(line))}")
    return found[::-1]
