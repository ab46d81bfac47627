"""The counts of a filter: lines read, lines with problems, unknown tokens."""

from dataclasses import dataclass, field

from s2scli.data.stream import Line
from s2scli.translation.records import Record

NAMED = 10  # the maximum number of lines that a message lists


@dataclass
class Oddities:
    """The number of lines with a problem, and the line numbers of the first ones, by file."""

    count: int = 0
    first: dict[str, list[int]] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Count a line."""
        self.count += 1
        if self.count <= NAMED:
            self.first.setdefault(line.name, []).append(line.number)

    def add_all(self, other: "Oddities") -> None:
        """Add the lines that another one counted, which follow."""
        room = NAMED - min(self.count, NAMED)
        self.count += other.count
        for name, lines in other.first.items():
            if room:
                self.first.setdefault(name, []).extend(lines[:room])
                room -= len(lines[:room])

    def __str__(self) -> str:
        files = (f"{name}: {', '.join(map(str, lines))}" for name, lines in self.first.items())
        more = f"; and {self.count - NAMED:,} more" if self.count > NAMED else ""
        return f"{self.count:,} line{'s' if self.count > 1 else ''} ({'; '.join(files)}{more})"


@dataclass
class Unknown:
    """The number of tokens, including end tokens, and the number of unknown ones."""

    tokens: int = 0
    unknown: int = 0

    def add(self, tokens: int, unknown: int) -> None:
        """Add to both counts."""
        self.tokens += tokens
        self.unknown += unknown


@dataclass
class Tally:
    """Counts of the lines read so far, and the lines with problems.

    Attributes:
        lines: the number of lines read.
        empty: the number of lines that are blank, or too long and left out.
        copied: the number of lines written as they are.
        source: the tokens of the sources.
        target: the tokens of the given targets.
        overlong: lines that were too long for the model and did not fail.
        failed: lines that could not be translated or scored.
        not_utf8: lines with bytes that are not UTF-8.
    """

    lines: int = 0
    empty: int = 0
    copied: int = 0
    source: Unknown = field(default_factory=Unknown)
    target: Unknown = field(default_factory=Unknown)
    overlong: Oddities = field(default_factory=Oddities)
    failed: Oddities = field(default_factory=Oddities)
    not_utf8: Oddities = field(default_factory=Oddities)

    def add_all(self, other: "Tally") -> None:
        """Add the counts of lines that follow."""
        self.lines += other.lines
        self.empty += other.empty
        self.copied += other.copied
        self.source.add(other.source.tokens, other.source.unknown)
        self.target.add(other.target.tokens, other.target.unknown)
        self.overlong.add_all(other.overlong)
        self.failed.add_all(other.failed)
        self.not_utf8.add_all(other.not_utf8)

    def add(self, record: Record) -> None:
        """Count one record."""
        self.lines += 1
        self.empty += record.status == "empty"
        self.copied += record.status == "copied"
        if record.translation:
            translation = record.translation
            self.source.add(len(translation.source_pieces), translation.unknown_tokens)
        if record.best and record.target:
            self.target.add(len(record.best.pieces), record.best.unknown_tokens)
        if record.status == "failed":
            self.failed.add(record.line)
        elif record.overlong:
            self.overlong.add(record.line)
        if record.line.bad_byte:
            self.not_utf8.add(record.line)
