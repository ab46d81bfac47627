"""Named fields: which of them hold the source, the target and the tag of a row."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from s2scli.data.cleaning import OVER_LONG
from s2scli.data.example import Example
from s2scli.data.lines import BadLineError, decode_line
from s2scli.errors import CorpusError
from s2scli.tags import check_tag

DEFAULTS = ("source", "target"), ("src", "tgt"), ("input", "output")
FLAGS = "--source-field", "--target-field"
SHOWN = 20
LINE_BREAK = re.compile(r"\r\n|\n|\r")
MISSING = object()
KINDS = {bool: "a truth value", int: "a number", float: "a number", list: "a list"}


@dataclass(frozen=True)
class Fields:
    """The names of the fields to read; a dot leads into a nested field, as in `translation.en`.

    Attributes:
        source: the field of the source; None is the first of source, src and input.
        target: the field of the target; None is the one that belongs to it.
        tag: the field of the tag; None reads no tag.
        alone: read only the source.
    """

    source: str | None = None
    target: str | None = None
    tag: str | None = None
    alone: bool = False

    def among(self, names: Sequence[str], file: str) -> Self:
        """Return the fields with the names that are missing here, chosen among those of a file.

        Args:
            names: the names of the fields in the file.
            file: the name of the file, for messages.

        Raises:
            CorpusError: the file has no fields with default names, or several of a chosen name.
        """
        for source, target in DEFAULTS:
            chosen = replace(self, source=self.source or source, target=self.target or target)
            if all(given or name in names for given, name in self._sides(chosen)):
                return chosen._single_in(names, file)
        flags = " and ".join(
            flag for (given, _), flag in zip(self._sides(self), FLAGS, strict=False) if not given
        )
        raise CorpusError(f"{file}: name the fields with {flags}; found {listed(names)}")

    def _single_in(self, names: Sequence[str], file: str) -> Self:
        for name in self.read:
            if names.count(name) > 1:
                raise CorpusError(
                    f"{file}: several fields are named {name!r:.60}; rename all but one"
                )
        return self

    def _sides(self, chosen: "Fields") -> Iterator[tuple[str | None, str | None]]:
        """Yield the given and the chosen name of each side that is read."""
        yield self.source, chosen.source
        if not self.alone:
            yield self.target, chosen.target

    @property
    def read(self) -> tuple[str, ...]:
        """The names of the fields that are read: source, target unless `alone`, and tag if any."""
        return tuple(
            name
            for name in (self.source, None if self.alone else self.target, self.tag)
            if name is not None
        )

    def example(self, cells: Sequence[str], number: int) -> Example:
        """Return the example of a row.

        Args:
            cells: the cells of the fields in `read`.
            number: the number of the row.

        Raises:
            BadLineError: the tag is not one.
        """
        target = "" if self.alone else cells[1]
        if self.tag is None:
            return Example(cells[0], target, number)
        return Example(cells[0], target, number, tag=require_tag(cells[-1]))


USUAL = Fields()


def require_tag(cell: str) -> str:
    """Return the tag in a cell.

    Raises:
        BadLineError: it is none.
    """
    try:
        return check_tag(cell.strip())
    except ValueError as error:
        raise BadLineError("tag", str(error)) from error


def listed(names: Sequence[str]) -> str:
    """Return the names of fields for a message; those after the first 20 are left out."""
    shown = [f"{name:.40}" for name in names[:SHOWN]]
    return ", ".join(shown + ["..."] * (len(names) > SHOWN)) or "no fields"


def paths(tree: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Yield the names of the fields of an object, and of the objects in it one level down."""
    for name, value in tree.items():
        if isinstance(value, dict) and not before:
            yield from paths(value, f"{name}.")
        else:
            yield f"{before}{name}"


def pick(tree: Mapping[str, Any], path: str) -> Any:
    """Return the value of a field, or MISSING."""
    while path not in tree:
        name, _, path = path.partition(".")
        inner = tree.get(name)
        if not path or not isinstance(inner, dict):
            return MISSING
        tree = inner
    return tree[path]


def text_of(value: Any, name: str, limit: int, names: Sequence[str] = ()) -> str:
    """Return the text of a field; a line break in it becomes a space.

    Args:
        value: the value of the field: a text, or the bytes of one.
        name: the name of the field.
        limit: the maximum size in bytes.
        names: the fields that are there, for messages.

    Raises:
        BadLineError: the field is missing, null, not text, or longer than the limit.
    """
    if isinstance(value, bytes):
        if len(value) > limit:
            raise BadLineError(OVER_LONG, f"{name}: longer than {limit:,} bytes")
        value = decode_line(value)
    elif isinstance(value, str):
        _check_text(value, name, limit)
    elif value is MISSING:
        raise BadLineError("missing_field", f"no field {name!r:.60}; found {listed(names)}")
    elif value is None:
        raise BadLineError("null", f"the field {name!r:.60} is null, expected text")
    else:
        kind = KINDS.get(type(value), "an object")
        raise BadLineError("not_text", f"the field {name!r:.60} is {kind}, expected text")
    return LINE_BREAK.sub(" ", value) if "\n" in value or "\r" in value else value


def _check_text(value: str, name: str, limit: int) -> None:
    if len(value) > limit:
        raise BadLineError(OVER_LONG, f"{name}: longer than {limit:,} characters")
    if "\0" in value:
        at = value.index("\0") + 1
        raise BadLineError("nul_byte", f"{name}: character {at} is NUL")
    if not value.isascii() and (found := re.search("[\ud800-\udfff]", value)):
        raise BadLineError("not_utf8", f"{name}: character {found.start() + 1} is not Unicode text")
