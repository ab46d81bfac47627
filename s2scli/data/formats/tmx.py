"""TMX: a translation memory, XML with the same segment in several languages."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from xml.parsers import expat

from s2scli.data.cleaning import OVER_LONG
from s2scli.data.example import Example
from s2scli.data.formats.fields import USUAL, Fields, listed, text_of
from s2scli.data.lines import BadLineError, TextFile
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError

BLOCK_BYTES = 1 << 16
MAX_DEPTH, MAX_LANGUAGES = 100, 1000
CODES = ("bpt", "ept", "it", "ph", "ut", "sub")  # markup of the original document inside a segment


@dataclass(frozen=True)
class Tmx:
    """One row per translation unit (`tu`); the fields are languages.

    A language such as `en` also stands for `en-US`. Markup inside a segment is left out. A unit is
    read with the first segment of each language.

    Attributes:
        fields: the languages to read; by default those of the first unit, if it has two, and the
            source language that the header names comes first.
    """

    fields: Fields = USUAL
    files: ClassVar[int] = 1
    by_line: ClassVar[bool] = False

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for every unit.

        Raises:
            CorpusError: as for `Format.read`; the file is not XML, declares entities, or has other
                than two languages and the fields do not name them.
        """
        (file,) = files
        if self.fields.tag is not None:
            raise CorpusError(f"{file.name}: TMX has no field for a tag; leave --tag-field out")
        units, chosen = _units(file, limit), None
        for number, unit in enumerate(units, start=1):
            chosen = chosen or _languages(self.fields, unit, file.name)
            try:
                texts = [unit.text(language) for language in chosen.read]
                cells = [text_of(text, "segment", limit) for text in texts]
                yield chosen.example(cells, number)
            except BadLineError as error:
                yield BadLine(file.name, number, error.reason, str(error), "unit")
        if chosen is None:
            yield Example("", "", 1)


@dataclass
class _Unit:
    """A translation unit: the text of each language, or None for one that is too long."""

    declared: str = ""
    texts: dict[str, str | None] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """Return the text in a language.

        Raises:
            BadLineError: there is none, or it is too long.
        """
        name = next(iter(_named(self.texts, language)), None)
        if name is None:
            found = listed(list(self.texts))
            raise BadLineError("missing_field", f"no segment in {language!r:.60}; found {found}")
        text = self.texts[name]
        if text is None:
            raise BadLineError(OVER_LONG, f"the segment in {language!r:.60} is too long")
        return text


def _plain(language: str) -> str:
    return language.lower().replace("_", "-")


def _named(names: Iterable[str], language: str) -> list[str]:
    """Return the language of this name, or else its variants, such as en-us for en."""
    wanted = _plain(language)
    return [wanted] if wanted in names else [one for one in names if one.startswith(f"{wanted}-")]


def _languages(fields: Fields, unit: _Unit, file: str) -> Fields:
    """Return the languages to read.

    Raises:
        CorpusError: they are not given, and it is not clear from the first unit which they are.
    """
    names = sorted(unit.texts, key=lambda name: not f"{name}-".startswith(f"{unit.declared}-"))
    given = fields.source, fields.target
    if None not in given or (fields.alone and fields.source):
        return fields
    named = {name for language in given if language for name in _named(names, language)}
    left = [name for name in names if name not in named]
    if len(names) != 2 or len(left) != given.count(None):
        raise CorpusError(
            f"{file}: name the languages with --source-field and --target-field; "
            f"found {listed(names)}"
        )
    source = fields.source or left.pop(0)
    return Fields(source, fields.target or left[0], alone=fields.alone)


def _units(file: TextFile, limit: int) -> Iterator[_Unit]:
    """Yield the units of a file.

    Raises:
        CorpusError: the file is not XML, is damaged or is made to use up memory.
    """
    reader = _Reader(file.name, limit)
    size = 0
    for block in file.blocks(BLOCK_BYTES):
        size += len(block)
        reader.feed(block, size)
        while reader.units:
            yield reader.units.popleft()
    if not size:
        raise CorpusError(f"{file.name}: the file is empty")
    reader.feed(b"", size, last=True)
    yield from reader.units


class _Reader:
    """Collects the units of a TMX file, block by block.

    Entities that the file declares are refused: they could grow without bound, or name other
    files. No external document type is read, so an entity that only such a type could declare is
    refused in a segment, where its text would be missing.
    """

    def __init__(self, name: str, limit: int) -> None:
        self.units: deque[_Unit] = deque()
        self._name, self._limit = name, limit
        self._unit, self._declared, self._language = _Unit(), "", ""
        self._depth, self._codes, self._size = 0, 0, 0
        self._text: list[str] | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity
        self._parser.SkippedEntityHandler = self._skipped

    def feed(self, block: bytes, size: int, *, last: bool = False) -> None:
        """Parse a block.

        Args:
            block: the bytes.
            size: the number of bytes so far.
            last: whether it is the last block.
        """
        try:
            self._parser.Parse(block, last)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise self._fault(f"not well-formed XML ({str(error).partition(':')[0]})") from error
        if size - self._parser.CurrentByteIndex > self._limit + BLOCK_BYTES:
            raise self._fault(f"a tag is longer than {self._limit:,} bytes")

    def _fault(self, what: str) -> CorpusError:
        return CorpusError(f"{self._name}, line {self._parser.CurrentLineNumber}: {what}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fault(f"elements are nested more than {MAX_DEPTH} deep")
        if self._depth == 1 and name != "tmx":
            raise self._fault(f"<{name:.40}>, expected <tmx>")
        if name == "header":
            self._declared = _plain(attributes.get("srclang", ""))
        elif name == "tu":
            self._unit = _Unit(_plain(attributes.get("srclang", self._declared)))
        elif name == "tuv":
            self._language = _plain(attributes.get("xml:lang", attributes.get("lang", "")))
        elif name == "seg":
            self._text, self._size, self._codes = [], 0, 0
        elif name in CODES:
            self._codes += 1

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == "tu":
            self.units.append(self._unit)
        elif name == "seg" and self._text is not None:
            texts = self._unit.texts
            if self._language not in texts and len(texts) < MAX_LANGUAGES:
                whole = self._size <= self._limit
                texts[self._language] = "".join(self._text) if whole else None
            self._text = None
        elif name in CODES:
            self._codes -= 1

    def _characters(self, text: str) -> None:
        if self._text is None or self._codes > 0:
            return
        self._size += len(text)
        if self._size <= self._limit:
            self._text.append(text)

    def _entity(self, name: str, *declaration: object) -> None:
        raise self._fault(f"declares the entity {name!r:.40}, which is refused")

    def _skipped(self, name: str, is_parameter: bool) -> None:
        if self._text is not None and self._codes <= 0:
            raise self._fault(
                f"the entity &{name:.40}; is not declared; write the character itself"
            )
