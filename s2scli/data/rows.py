"""The types of rows while a corpus is read: examples, bad lines, dropped lines and notices."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from s2scli.data.example import Example
from s2scli.errors import CorpusError


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a valid example.

    Attributes:
        file: the name of the file for messages.
        line: the line number, from 1.
        reason: the reason under which it is counted if dropped: over_long, columns, not_utf8, ...
        fault: a description of the error, for messages.
        unit: what `line` counts: lines, or rows of a format whose rows are not lines.
    """

    file: str
    line: int
    reason: str
    fault: str
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.file}, {self.unit} {self.line}: {self.fault}"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A dropped line, and the reason under which it is counted.

    Attributes:
        line: the line number, from 1.
        reason: the reason.
        source: the source, to show as a sample; "" if the line could not be read.
        target: the target, likewise.
    """

    line: int
    reason: str
    source: str = field(default="", compare=False)
    target: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Changed:
    """What a rule did to the text of a row; the row itself follows, or is dropped.

    Attributes:
        line: the line number, from 1.
        reason: the name of the rule.
        before: source and target before; empty texts if they must not be shown.
        after: source and target after.
    """

    line: int
    reason: str
    before: tuple[str, str]
    after: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Notice:
    """A message about a file for the user; not an error."""

    text: str


ReadRow: TypeAlias = Example | BadLine | Notice
"""A row from a format reader."""

Row: TypeAlias = Example | Dropped | Changed | Notice
"""A row during cleaning."""


def require_examples(rows: Iterable[ReadRow]) -> Iterator[Example]:
    """Yield the examples among `rows`, and refuse bad lines.

    Raises:
        CorpusError: a line is bad; the message names the file and the line.
    """
    for row in rows:
        if isinstance(row, BadLine):
            raise CorpusError(str(row))
        if isinstance(row, Example):
            yield row
