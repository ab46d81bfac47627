"""A glossary: terms of the source with the terms that outputs must contain."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from s2scli.data.cleaning import is_blank
from s2scli.data.lines import BadLineError, decode_line, open_text
from s2scli.data.stream import LINE_BYTES
from s2scli.errors import CorpusError
from s2scli.search.spelling import in_word


@dataclass(frozen=True)
class Glossary:
    """Terms of the source and their translations.

    Attributes:
        terms: the target term of each source term.
        name: the name of its file, for messages.
        lines: the line of each source term, for messages.
    """

    terms: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def find(self, text: str) -> Counter[str]:
        """Return the target terms that an output of a text must contain, and how often.

        Source terms count where no word continues at their edges, with the same upper and lower
        case. Where terms overlap, the first one counts, and of those the longest.
        """
        found = Counter[str]()
        if not self.terms:
            return found
        for match in re.finditer(self._pattern, text):
            found[self.terms[match.group()]] += 1
        return found

    @property
    def _pattern(self) -> str:
        longest_first = sorted(self.terms, key=len, reverse=True)
        return "|".join(map(whole, longest_first))


NO_TERMS = Glossary()


def whole(text: str) -> str:
    """Return a pattern that finds a text where no word continues at its edges."""
    letter = r"[^\W_]"
    before = rf"(?<!{letter})" if in_word(text[0]) else ""
    after = rf"(?!{letter})" if in_word(text[-1]) else ""
    return f"{before}{re.escape(text)}{after}"


def as_glossary(given: Path | Mapping[str, str]) -> Glossary:
    """Return a glossary from its terms, or from a TSV file, plain or gzip.

    Each line of the file is a source term, a TAB and its target term.

    Raises:
        MissingInputError: the file does not exist.
        CorpusError: a term is blank, a line does not hold two terms, or a source term has two
            target terms.
    """
    terms: dict[str, str] = {}
    lines: dict[str, int] = {}
    name = str(given) if isinstance(given, Path) else "glossary"
    for number, (source, target) in read_terms(given, name):
        if terms.setdefault(source, target) != target:
            raise CorpusError(
                f"{name}, line {number}: {source!r} has another target term in line "
                f"{lines[source]}; keep one of them"
            )
        lines.setdefault(source, number)
    return Glossary(terms, name, lines)


def read_terms(given: Path | Mapping[str, str], name: str) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the number and the two terms of each line of a TSV file; blank lines are left out.

    Args:
        given: the file; or the terms themselves, which are numbered as if they were lines.
        name: its name in messages.

    Raises:
        MissingInputError: the file does not exist.
        CorpusError: a line is not UTF-8 or does not hold two terms.
    """
    lines = (
        _lines(given) if isinstance(given, Path) else enumerate(map("\t".join, given.items()), 1)
    )
    for number, text in lines:
        terms = [each.strip() for each in text.split("\t")]
        if len(terms) != 2 or not all(terms):
            raise CorpusError(
                f"{name}, line {number}: expected source term TAB target term, found {text!r:.60}"
            )
        yield number, (terms[0], terms[1])


def read_words(path: Path) -> list[str]:
    """Read a text file, plain or gzip, with a word or phrase in each line.

    Raises:
        MissingInputError: the file does not exist.
        CorpusError: a line is not UTF-8.
    """
    return [text.strip() for _, text in _lines(path)]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not blank."""
    with open_text(path) as file:
        for number, line in enumerate(file.lines(LINE_BYTES), start=1):
            try:
                text = "" if line is None else decode_line(line)
            except BadLineError as error:
                raise CorpusError(f"{path}, line {number}: {error}") from error
            if not is_blank(text):
                yield number, text
