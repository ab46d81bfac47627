"""The parts that a corpus is read in, each with its rows, their cleaner and their counts."""

import contextlib
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from s2scli.data.accounting import FileAccount, RowTally
from s2scli.data.cleaning import put_tags
from s2scli.data.cleaning.own import LoadedRule, load_rules, own_files
from s2scli.data.cleaning.rules import (
    Cleaner,
    Stretch,
    corpus_cleaner,
    held_out_cleaner,
    require_usable,
)
from s2scli.data.dialogue import join_history
from s2scli.data.example import Example
from s2scli.data.formats.grouping import Input, group_inputs
from s2scli.data.lines import TextFile, folder_of, line_limit
from s2scli.data.media import MediaReader, choose_sides
from s2scli.data.rows import Row
from s2scli.data.settings import PrepareSettings
from s2scli.data.shards import CleanedShard, Cleaning, read_rows
from s2scli.data.stream import LINE_BYTES
from s2scli.errors import CorpusError, UsageError
from s2scli.pipeline.inputs import Inputs, check_inputs, expanded, opened, with_columns
from s2scli.report.console import Talk
from s2scli.settings import Tree
from s2scli.sides import Sides
from s2scli.tags import MAX_TAGS


@dataclass(frozen=True)
class Part:
    """One file, dataset or pair of parallel files, with its rows, their cleaner and their tally.

    Attributes:
        input: the files, and their format.
        rows: the rows.
        cleaner: the rules for its rows.
        cleaning: how its rows are read and cleaned, for other processes.
        tag: the tag of all its rows; empty if they have none, or have their own.
        tally: the counts of its rows.
        tags: the tags of the rows that were kept.
        shifts: the stretches whose sides are shifted, if it is cleaned shard by shard.
    """

    input: Input
    rows: Iterator[Row]
    cleaner: Cleaner
    cleaning: Cleaning
    tag: str = ""
    tally: RowTally = field(default_factory=RowTally)
    tags: set[str] = field(default_factory=set)
    shifts: list[Stretch] = field(default_factory=list)

    @property
    def files(self) -> Sequence[TextFile]:
        """The files."""
        return self.input.files

    @property
    def folder(self) -> Path | None:
        """Where the paths of sounds and pictures are looked up first; None for stdin."""
        return folder_of(self.files[0].path)

    def add(self, cleaned: CleanedShard) -> None:
        """Count the rows of the next shard."""
        self.tally.add(cleaned.tally)
        self.shifts.extend(cleaned.shifts)
        self.tags.update(cleaned.tags)

    def account(self, role: str) -> FileAccount:
        """Return the account of its rows; call it after reading them."""
        return FileAccount(
            role=role,
            names=tuple(file.short_name for file in self.files),
            sha256=tuple(file.sha256 for file in self.files),
            read=self.tally.read,
            kept=self.tally.kept,
            dropped=dict(sorted(self.tally.dropped.items())),
            changed=dict(sorted(self.tally.changed.items())),
            samples={name: tuple(part) for name, part in sorted(self.tally.samples.items())},
        )


def parts_of(
    role: str,
    files: Sequence[TextFile],
    settings: PrepareSettings,
    tags: Sequence[str],
    own: Mapping[str, LoadedRule] = MappingProxyType({}),
) -> list[Part]:
    """Return the parts to read for a role, in order; a user's own rules are for the corpus.

    Raises:
        UsageError: the number of tags is not that of the parts.
    """
    inputs = group_inputs(files, role, settings)
    if len(tags) > 1 and len(tags) != len(inputs):
        raise UsageError(
            f"{len(tags)} times --tag: expected one for all, or one for each of the {len(inputs)} "
            f"inputs of {role}, in this order"
        )
    filters = {name: rule.filter for name, rule in own.items()}
    hashes = {name: rule.sha256 for name, rule in own.items()}
    each = tags if len(tags) > 1 else [*tags, ""][:1] * len(inputs)
    return [
        _part(
            one,
            cleaning := Cleaning.of(settings, one, tag, hashes),
            corpus_cleaner(settings, cleaning.file, filters)
            if role == "corpus"
            else held_out_cleaner(settings),
        )
        for one, tag in zip(inputs, each, strict=True)
    ]


def _part(one: Input, cleaning: Cleaning, cleaner: Cleaner) -> Part:
    settings, limit = cleaning.settings, line_limit(cleaning.settings.max_length)
    if (settings.source_kind, settings.target_kind) != ("text", "text"):
        limit = max(limit, LINE_BYTES)  # a data: URI holds a whole file, and translate reads it
    read = one.format.read(one.files, limit)
    return Part(one, read_rows(cleaning, read), cleaner, cleaning, cleaning.tag)


def load_own_rules(settings: PrepareSettings, talk: Talk) -> dict[str, LoadedRule]:
    """Return a user's own rules by name, after a warning that this runs code.

    Raises:
        MissingInputError: a file does not exist or cannot be read.
        ConfigError: the file of rules is not valid, or its Python code fails.
    """
    if settings.rules is None:
        return {}
    files = ", ".join(map(str, own_files(settings.rules)))
    talk.warn(f"{settings.rules}: its rules are code, which runs now: {files}")
    return load_rules(settings.rules)


@contextlib.contextmanager
def opened_parts(
    inputs: Inputs, settings: PrepareSettings, talk: Talk
) -> Iterator[tuple[PrepareSettings, list[Part]]]:
    """Open a corpus of text to look at it, without writing anything; yield settings and parts.

    Raises:
        UsageError: the inputs or settings contradict each other, or the corpus is not text.
        MissingInputError: a file is missing or unreadable.
        CorpusError: a file cannot be read as a corpus.
        MissingExtraError: a rule needs a library that is not installed.
    """
    check_inputs(inputs, settings)
    inputs = expanded(inputs)
    if (settings.source_kind, settings.target_kind) != ("text", "text"):
        raise UsageError("--explain and --suggest are for text on both sides")
    with opened(replace(inputs, valid=(), test=()), talk) as files:
        settings = with_columns(inputs, files["corpus"][0], settings)
        require_usable(settings)
        own = load_own_rules(settings, talk)
        yield settings, parts_of("corpus", files["corpus"], settings, inputs.tags, own)


def with_sides(parts: Sequence[Part], settings: PrepareSettings) -> tuple[Sequence[Part], Sides]:
    """Decide what the sides are made of, by the first rows; return the parts to read, too."""
    first, *others = parts
    sides, rows = choose_sides(first.rows, settings, first.folder)
    return [replace(first, rows=rows), *others], sides


def examples_of(
    parts: Sequence[Part], settings: PrepareSettings, sides: Sides
) -> Iterator[Example]:
    """Yield the examples of all parts; line numbers continue from one part to the next.

    Args:
        parts: the parts to read.
        settings: the settings of preparation.
        sides: what the sides are made of.
    """
    before = 0
    for part in parts:
        rows = part.cleaner.rows(part.rows)
        if settings.history:
            rows = join_history(rows, settings.history, one_column=settings.one_column)
        if not sides.are_text:
            rows = MediaReader(sides, settings, part.folder).read(rows)
        if part.tag or settings.tag_field or settings.tag_column:
            rows = put_tags(rows, part.tag, part.tags)
        for row in part.tally.keep(rows):
            yield replace(row, line=before + row.line) if before else row
        before += part.tally.read


def accounts_of(role: str, parts: Sequence[Part]) -> tuple[FileAccount, ...]:
    """Return the account of each part.

    Raises:
        CorpusError: all rows of all parts were dropped.
    """
    accounts = tuple(part.account(role) for part in parts)
    whole = functools.reduce(FileAccount.plus, accounts)
    if not whole.kept:
        names = " and ".join(file.name for part in parts for file in part.files)
        reasons = ", ".join(f"{count} {reason}" for reason, count in whole.dropped.items())
        raise CorpusError(f"{names}: no usable rows: {whole.read} read, all dropped ({reasons})")
    return accounts


def tags_of(parts: Sequence[Part]) -> Tree:
    """Return the tags of all rows, for the manifest; nothing if there are none.

    Raises:
        CorpusError: there are too many.
    """
    tags = sorted(set().union(*(part.tags for part in parts)))
    if len(tags) > MAX_TAGS:
        raise CorpusError(
            f"{len(tags):,} different tags, at most {MAX_TAGS:,} are allowed; the first are "
            f"{', '.join(tags[:5])}: is this the right field or column?"
        )
    return {"tags": tags} if tags else {}


def notices_of(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return what was noticed while the parts were read."""
    return tuple(itertools.chain.from_iterable(part.tally.notices for part in parts))
