"""What reading a corpus yields, row by row: examples, bad lines, dropped lines and notices."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from s2scli.data.example import Example
from s2scli.errors import CorpusError


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that holds no example.

    Attributes:
        file: the file's name in messages.
        line: the line's number; the first is 1.
        reason: the reason it is counted under if it is dropped: over_long, columns, not_utf8, ...
        fault: what is wrong, for messages.
    """

    file: str
    line: int
    reason: str
    fault: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.fault}"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A line that yields no example, and the reason it is counted under."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a file that the user should know, but that is not an error."""

    text: str


ReadRow: TypeAlias = Example | BadLine | Notice
"""What a format yields."""

Row: TypeAlias = Example | Dropped | Notice
"""What cleaning works on."""


def require_examples(rows: Iterable[ReadRow]) -> Iterator[Example]:
    """Yield the examples of a file in which no line may be bad.

    Raises:
        CorpusError: a line is bad; the message names the file and the line.
    """
    for row in rows:
        if isinstance(row, BadLine):
            raise CorpusError(str(row))
        if isinstance(row, Example):
            yield row
