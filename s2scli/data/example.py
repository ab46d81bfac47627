"""One pair of a corpus."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A source, its target, and the line of the input file it came from (the first is 1)."""

    source: str
    target: str
    line: int
