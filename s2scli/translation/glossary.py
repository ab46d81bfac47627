"""A glossary: terms of the source with the terms that outputs must contain."""

import functools
import unicodedata
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
        terms: the target term of each source term, which is `composed`.
        name: the name of its file, for messages.
        lines: the line of each source term, for messages.
    """

    terms: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def find(self, text: str) -> Counter[str]:
        """Return the target terms that an output of a text must contain, and how often.

        Source terms count where no word continues at their edges, with the same upper and lower
        case, however accents are encoded. Where terms overlap, the first one counts, and of those
        the longest.
        """
        found, text, at = Counter[str](), composed(text), 0
        while self.terms and at < len(text):
            term = self._term_at(text, at)
            if term:
                found[self.terms[term]] += 1
            at += len(term) or 1
        return found

    def _term_at(self, text: str, at: int) -> str:
        """Return the longest source term that begins at an index of a text; "" if none does."""
        for length in self._lengths:
            term = text[at : at + length]
            if term in self.terms and stands_alone(text, at, at + len(term)):
                return term
        return ""

    @functools.cached_property
    def _lengths(self) -> list[int]:
        """The lengths of all source terms, the largest first."""
        return sorted({len(source) for source in self.terms}, reverse=True)


NO_TERMS = Glossary()


def composed(text: str) -> str:
    """Return a text in Unicode's normal form C, so that an accent is part of its letter."""
    return unicodedata.normalize("NFC", text)


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no word continues at the edges of a part of a text."""

    def continues(before: str, after: str) -> bool:
        return bool(before and after) and in_word(before) and in_word(after)

    return not (
        continues(text[max(0, start - 1) : start], text[start : start + 1])
        or continues(text[end - 1 : end], text[end : end + 1])
    )


def holds(text: str, word: str) -> bool:
    """Whether a text has a word at whose edges no word continues."""
    at = text.find(word)
    while at >= 0:
        if stands_alone(text, at, at + len(word)):
            return True
        at = text.find(word, at + 1)
    return False


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
        source = composed(source)
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
