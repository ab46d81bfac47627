"""Outputs beside their references, with the words that differ marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from rich.style import Style
from rich.table import Table
from rich.text import Text

from s2scli.report.cells import clusters
from s2scli.report.console import visible
from s2scli.report.markup import escaped
from s2scli.report.page import Part, page
from s2scli.report.tables import table_html
from s2scli.scripts import units_of

Side = Literal["both", "reference", "output"]

STYLES: dict[Side, Style] = {
    "both": Style(),
    "reference": Style(color="red"),
    "output": Style(color="green"),
}
MARKS: dict[Side, tuple[str, str]] = {
    "both": ("", ""),
    "reference": ("[-", "-]"),
    "output": ("{+", "+}"),
}
STYLE = """
.pairs td { width: 50%; border-bottom: 1px solid var(--line); }
.pairs .facts { opacity: .7; font-size: .85rem; border: none; padding-top: .9rem; }
del { color: light-dark(#cf222e, #ff8182); text-decoration: none; }
ins { color: light-dark(#1a7f37, #4ac26b); text-decoration: none; }
del, ins { font-weight: 600; }
"""


@dataclass(frozen=True)
class Compared:
    """An output to show beside its reference.

    Attributes:
        facts: its line number, score and kinds of mistakes, in words.
        source: the source; empty if it is not known.
        reference: the reference.
        output: the output.
    """

    facts: str
    source: str
    reference: str
    output: str


@dataclass(frozen=True)
class Piece:
    """Some words in a row, and the side that has them."""

    side: Side
    text: str


def differences(reference: str, output: str) -> tuple[list[Piece], list[Piece]]:
    """Return the reference and the output in pieces that both have, or only one.

    The pieces are words, or characters if the text is written without spaces.
    """
    ours, theirs = _units(reference), _units(output)
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        alike = tag == "equal"
        if b > a:
            left.append(Piece("both" if alike else "reference", _joined(ours[a:b], reference)))
        if d > c:
            right.append(Piece("both" if alike else "output", _joined(theirs[c:d], output)))
    return left, right


def _units(text: str) -> list[str]:
    """Return the words of a text, or all its characters, each with its marks."""
    return text.split() if _has_words(text) else clusters(text)


def _has_words(text: str) -> bool:
    return len(units_of(text)) <= len(text.split())


def _joined(units: Sequence[str], text: str) -> str:
    return (" " if _has_words(text) else "").join(units)


def compared_lines(compared: Compared, *, colour: bool) -> Iterator[Text]:
    """Yield the lines that show an output below its reference.

    Args:
        compared: what to show.
        colour: mark words by colours; if not, by `[-only in the reference-]` and `{+only here+}`.
    """
    yield Text(visible(compared.facts), Style(dim=True))
    if compared.source:
        yield Text(f"source     {visible(compared.source)}")
    reference, output = differences(compared.reference, compared.output)
    for name, pieces in (("reference", reference), ("output", output)):
        line = Text(f"{name:9}  ")
        for number, piece in enumerate(pieces):
            before, after = ("", "") if colour else MARKS[piece.side]
            gap = " " if number and _is_spaced(compared) else ""
            line.append(gap)
            line.append(f"{before}{visible(piece.text)}{after}", STYLES[piece.side])
        yield line
    yield Text()


def _is_spaced(compared: Compared) -> bool:
    return _has_words(compared.reference or compared.output)


def differences_html(title: str, tables: Sequence[Table], compared: Sequence[Compared]) -> str:
    """Return a page: tables of numbers, and each output beside its reference."""
    return page(title, differences_part(title, tables, compared))


def differences_part(title: str, tables: Sequence[Table], compared: Sequence[Compared]) -> Part:
    """Return the content of the page.

    Args:
        title: what the outputs are.
        tables: tables of numbers, made by `make_table`.
        compared: the outputs to show.
    """
    body = [f"<h2>{escaped(title)}</h2>", *map(table_html, tables), '<table class="cells pairs">']
    body.append("<thead><tr><th>reference</th><th>output</th></tr></thead>")
    for one in compared:
        source = f" · <bdi>{escaped(one.source)}</bdi>" if one.source else ""
        body.append(f'<tr><td class="facts" colspan="2">{escaped(one.facts)}{source}</td></tr>')
        cells = (
            (" " if _is_spaced(one) else "").join(map(_marked, pieces))
            for pieces in differences(one.reference, one.output)
        )
        body.append("<tr>" + "".join(f"<td><bdi>{cell}</bdi></td>" for cell in cells) + "</tr>")
    return Part(STYLE, "\n".join([*body, "</table>"]))


def _marked(piece: Piece) -> str:
    tag = {"both": "", "reference": "del", "output": "ins"}[piece.side]
    text = escaped(piece.text)
    return f"<{tag}>{text}</{tag}>" if tag else text
