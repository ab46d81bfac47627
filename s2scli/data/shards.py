"""Cleans a corpus shard by shard: in this process, in others, or on other machines.

A shard is some consecutive lines of a file. `clean_shard` writes its rows to a file whose name is
the digest of everything that they depend on, so a shard that is finished is never cleaned again.
"""

import contextlib
import functools
import hashlib
import itertools
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

from pydantic import TypeAdapter, ValidationError

import s2scli
from s2scli.artifacts import read_json, sha256_of
from s2scli.data.accounting import RowTally
from s2scli.data.cleaning import check_lines, put_tags, swap_sides, tidy_rows
from s2scli.data.cleaning.own import load_rules
from s2scli.data.cleaning.redaction import read_list
from s2scli.data.cleaning.rule import Context, Filter
from s2scli.data.cleaning.rules import Stretch, corpus_cleaner
from s2scli.data.corpus import write_rows
from s2scli.data.example import Example
from s2scli.data.formats import Format
from s2scli.data.formats.grouping import Input
from s2scli.data.lines import line_limit
from s2scli.data.pieces import Dealer, Piece
from s2scli.data.rows import BadLine, Notice, ReadRow, Row
from s2scli.data.settings import PrepareSettings
from s2scli.errors import CheckpointError, CorpusError
from s2scli.files import FILES, TEMPORARY, new_file, removed_on_failure, storage_errors
from s2scli.manifest import encode_json
from s2scli.normalization import Normalization

LIST = "redact_list"
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Cleaning:
    """How the rows of a file, or of two parallel files, are read and cleaned.

    Attributes:
        settings: the settings of preparation; the paths in them are absolute.
        format: the format of the files.
        named: whether no row is a header, see `Input`.
        file: the name of the first file, without folders.
        tag: the tag of all rows; empty if they have none, or have their own.
        hashes: the SHA-256 of the user's own rules, by name, and of the list of texts to redact.
        version: the version of s2s.
    """

    settings: PrepareSettings
    format: Format
    named: bool
    file: str
    tag: str
    hashes: Mapping[str, str]
    version: str

    @classmethod
    def of(
        cls, settings: PrepareSettings, one: Input, tag: str = "", own: Mapping[str, str] = NOTHING
    ) -> Self:
        """Return how the rows of a corpus are read and cleaned.

        Args:
            settings: the settings of preparation.
            one: the files.
            tag: the tag of all rows.
            own: the SHA-256 of the user's own rules, by name.
        """
        given = {"rules": settings.rules, "redact_list": settings.redact_list}
        paths = {name: Path(path).absolute() for name, path in given.items() if path}
        listed = {LIST: sha256_of(path)} if (path := paths.get(LIST)) and path.is_file() else {}
        return cls(
            settings.model_copy(update={name: str(path) for name, path in paths.items()}),
            one.format,
            one.named,
            one.files[0].short_name,
            tag,
            {**own, **listed},
            s2scli.__version__,
        )

    @property
    def is_divisible(self) -> bool:
        """Whether its lines can be cleaned apart: each is a row, and nothing is read but files."""
        is_file = self.settings.redact_list is None or LIST in self.hashes
        return self.format.by_line and not self.settings.history and is_file

    @property
    def tagged(self) -> bool:
        """Whether sources get tags."""
        return bool(self.tag or self.settings.tag_field or self.settings.tag_column)

    def load_own(self) -> dict[str, Filter]:
        """Return the user's own rules by name, which runs their code; read the list to redact.

        Raises:
            CorpusError: a file has changed since its hash was taken.
        """
        path, listed = self.settings.rules, self.settings.redact_list
        found = load_rules(path) if path else {}
        hashes = {name: rule.sha256 for name, rule in found.items()}
        if listed:
            read_list.cache_clear()  # a worker may have read an older one
            hashes[LIST] = sha256_of(Path(listed))
        if hashes != self.hashes:
            raise CorpusError(f"{path or listed}: has changed since it was opened; try again")
        return {name: rule.filter for name, rule in found.items()}


@dataclass(frozen=True)
class Shard:
    """Some consecutive lines of a file, or of two parallel files, to clean.

    Attributes:
        cleaning: how they are cleaned.
        context: what the rules expect of all rows.
        pieces: the lines, of each file.
        before: the number of lines of the file before them.
        skipped: the number of lines in the head of each piece, whose rows are not theirs.
        offset: the number of lines of other files before the file.
        folder: the folder to write to.
    """

    cleaning: Cleaning
    context: Context
    pieces: tuple[Piece, ...]
    before: int
    skipped: int
    offset: int
    folder: Path

    @property
    def lines(self) -> int:
        """The number of lines."""
        return self.pieces[0].lines

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that the cleaned rows depend on."""
        cleaning = self.cleaning
        tree = {
            "settings": cleaning.settings.model_dump(mode="json"),
            "format": repr(cleaning.format),
            "given": [cleaning.named, cleaning.file, cleaning.tag, cleaning.version],
            "hashes": dict(cleaning.hashes),
            "scripts": [self.context.source_script, self.context.target_script],
            "lines": [self.before, self.skipped, self.offset, self.lines],
            "pieces": [piece.sha256 for piece in self.pieces],
        }
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class CleanedShard:
    """The rows of a shard after cleaning.

    Attributes:
        name: the name of the file with the rows that are kept.
        sha256: the SHA-256 of this file.
        tally: the counts of its rows; the line numbers are those of the input file.
        shifts: the stretches whose sides are shifted.
        tags: the tags of the rows that are kept.
    """

    name: str
    sha256: str
    tally: RowTally = field(default_factory=RowTally)
    shifts: list[Stretch] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


@functools.cache
def _cleaned_shard() -> TypeAdapter[CleanedShard]:
    return TypeAdapter(CleanedShard)


def divide(cleaning: Cleaning, one: Input, offset: int, folder: Path) -> Iterator[Shard]:
    """Yield the shards of a corpus, in order.

    Args:
        cleaning: how its rows are cleaned.
        one: its files, which must not have been read yet.
        offset: the number of lines of other files before it.
        folder: the folder to write shards to.

    Raises:
        CorpusError: a file is damaged or has another format, or the numbers of lines differ.
    """
    dealer = Dealer(one.files, line_limit(cleaning.settings.max_length))
    opening, before = None, 0
    while True:
        blank = (b"\n" * before,) * len(one.files)  # keeps the numbers of lines right
        skipped = opening.lines if opening else before
        pieces = dealer.deal(opening.heads if opening else blank)
        if pieces is None:
            return
        opening = opening or _opening(cleaning, pieces)
        context = opening.context if opening else Context(cleaning.settings)
        shard = Shard(cleaning, context, pieces, before, skipped, offset, folder)
        yield shard
        before += shard.lines


@dataclass(frozen=True)
class _Opening:
    """What later rows of a file depend on.

    Attributes:
        heads: the lines of each file up to the first row with text, which tells the number of
            columns, or the names of the fields.
        lines: the number of these lines.
        context: what the rules expect of all rows.
    """

    heads: tuple[bytes, ...]
    lines: int
    context: Context


def _opening(cleaning: Cleaning, pieces: tuple[Piece, ...]) -> _Opening | None:
    """Return what later rows depend on; None if these pieces have no row with text."""
    limit = line_limit(cleaning.settings.max_length)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(piece.open()) for piece in pieces]
        rows = (row for row in cleaning.format.read(files, limit) if isinstance(row, Example))
        first = next((row.line for row in rows if row.source or row.target), None)
    if first is None:
        return None
    heads = []
    for piece in pieces:
        with piece.open() as file:
            lines = itertools.islice(file.lines(limit), first)
            heads.append(b"".join((line or b"") + b"\n" for line in lines))
    return _Opening(tuple(heads), first, _context(cleaning, pieces))


def _context(cleaning: Cleaning, pieces: tuple[Piece, ...]) -> Context:
    """Return what the rules expect of all rows, by the first of them."""
    cleaner = corpus_cleaner(cleaning.settings)
    if cleaning.settings.max_other_script is None:
        return cleaner.context([])
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(piece.open()) for piece in pieces]
        limit = line_limit(cleaning.settings.max_length)
        return cleaner.context_of(read_rows(cleaning, cleaning.format.read(files, limit)))


def read_rows(cleaning: Cleaning, rows: Iterable[ReadRow]) -> Iterator[Row]:
    """Check and tidy the rows that a format has read.

    Raises:
        CorpusError: a line is bad, and bad lines are not skipped.
    """
    settings = cleaning.settings
    checked = check_lines(
        rows,
        cleaning.file,
        header=False if cleaning.named else settings.header,
        skip_bad_lines=settings.skip_bad_lines,
        skip_flags="--one-column " * settings.one_column + "--skip-bad-lines",
    )
    return tidy_rows(swap_sides(checked) if settings.swap else checked, *_normalizations(settings))


def _normalizations(settings: PrepareSettings) -> tuple[Normalization, Normalization]:
    """Return the normalization of each side; names of files are kept as they are."""
    source = settings.normalization if settings.source_kind == "text" else "none"
    target = settings.normalization if settings.target_kind == "text" else "none"
    return source, target


def clean_shard(shard: Shard) -> CleanedShard:
    """Clean a shard, write its rows to a file, and return what became of them.

    A shard that is finished already is not cleaned again.

    Raises:
        CorpusError: a line is bad, and bad lines are not skipped; or a file has changed.
        MissingInputError: a file cannot be opened.
        ConfigError: a rule of the user's own fails to load.
        StorageError: the disk is full or a write failed.
    """
    summary = shard.folder / f"{shard.digest}.json"
    if (done := _finished(summary)) is not None:
        return done
    path = shard.folder / f"{shard.digest}.arrow"
    temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    with storage_errors(path), removed_on_failure(temporary):
        found = _write(shard, temporary)
        FILES.sync(temporary)
        sha256 = sha256_of(temporary)
        FILES.rename(temporary, path)
    cleaned = replace(found, name=path.name, sha256=sha256)
    with new_file(summary) as file:
        file.write(encode_json(_cleaned_shard().dump_python(cleaned, mode="json")))
    return cleaned


def _write(shard: Shard, path: Path) -> CleanedShard:
    """Write the rows of a shard to a file, and return what became of them."""
    cleaning, settings = shard.cleaning, shard.cleaning.settings
    cleaner = corpus_cleaner(settings, cleaning.file, cleaning.load_own())
    before = shard.before - shard.skipped  # of the line that the format counts as the first
    tally, tags = RowTally(), set[str]()
    shifts: list[Stretch] = []
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(piece.open()) for piece in shard.pieces]
        read = cleaning.format.read(files, line_limit(settings.max_length))
        rows = cleaner.cleaned(
            read_rows(cleaning, _without_head(read, shard.skipped, before)), shifts, shard.context
        )
        if cleaning.tagged:
            rows = put_tags(rows, cleaning.tag, tags)
        near = settings.near_duplicates is not None
        write_rows(tally.keep(rows), path, near=near, before=shard.offset + before)
        for piece, file in zip(shard.pieces, files, strict=True):
            piece.require_unchanged(file)
    moved = RowTally()
    moved.add(tally, before)
    shifts = [(first + before, last + before, offset) for first, last, offset in shifts]
    return CleanedShard("", "", moved, shifts, sorted(tags))


def _without_head(rows: Iterator[ReadRow], skipped: int, before: int) -> Iterator[ReadRow]:
    """Leave out the rows of the head and their notices, and number bad lines as in the file."""
    if skipped:
        next(row for row in rows if not isinstance(row, Notice) and row.line == skipped)
    for row in rows:
        yield replace(row, line=row.line + before) if isinstance(row, BadLine) else row


def _finished(summary: Path) -> CleanedShard | None:
    """Return what became of a shard that was cleaned before; None if it has to be cleaned."""
    try:
        found = _cleaned_shard().validate_python(read_json(summary))
        if sha256_of(summary.with_name(found.name)) == found.sha256:
            return found
    except (CheckpointError, ValidationError):
        pass
    return None
