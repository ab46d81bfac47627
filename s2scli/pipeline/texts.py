"""Texts with their references: read from a corpus or from files, and what of them to translate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from s2scli.data.codecs.cell import beside, key_of
from s2scli.data.lines import STDIN
from s2scli.data.row_stream import open_pairs
from s2scli.data.rows import require_examples
from s2scli.data.settings import InputSettings
from s2scli.data.stream import Line
from s2scli.errors import CorpusError, UsageError
from s2scli.report.console import Talk
from s2scli.sides import Sides

if TYPE_CHECKING:
    from s2scli.data.store import Corpus

MANY_REPEATS = 0.02


@dataclass(frozen=True)
class Texts:
    """Aligned lines: each source, or output, with its reference.

    Attributes:
        name: a description of the lines.
        sources: the sources; the outputs if existing outputs are scored.
        references: the reference targets, one per source.
        clean: the sources without noise; empty if they have none.
    """

    name: str
    sources: tuple[str, ...]
    references: tuple[str, ...]
    clean: tuple[str, ...] = ()

    def beside(self, folder: Path | None, sides: Sides) -> Self:
        """Return the texts of a file in this folder, for a model of these sides."""
        sources, references = self.sources, self.references
        if sides.source:
            sources = tuple(beside(cell, folder) for cell in sources)
        if sides.target:
            references = tuple(beside(cell, folder) for cell in references)
        return replace(self, sources=sources, references=references)


@dataclass(frozen=True)
class Asked:
    """The lines to translate.

    Attributes:
        lines: the sources.
        indices: for each pair, the index of its source in `lines`.
    """

    lines: tuple[Line, ...]
    indices: tuple[int, ...]


def read_split(corpus: "Corpus", split: str) -> Texts:
    """Read one split of a corpus.

    Raises:
        MissingInputError: the split does not exist.
        CheckpointError: the corpus is damaged.
        CorpusError: the split is empty.
    """
    found = corpus.open_split(split)
    if not len(found):
        raise CorpusError(f"{corpus.folder}: the {split} split is empty")
    return Texts(f"{split} split", tuple(found.sources()), tuple(found.targets()))


def read_files(files: Sequence[Path], reading: InputSettings) -> Texts:
    """Read two line-aligned files, or one file of pairs.

    Raises:
        UsageError: both are stdin, or the format has another number of files.
        MissingInputError: a file is missing.
        CorpusError: a file is damaged, empty or not UTF-8, or they have different numbers of lines.
    """
    if list(files) == [STDIN, STDIN]:
        raise UsageError("- is given twice, but stdin can be read only once")
    with open_pairs(files, reading, "parallel") as rows:
        pairs = [(row.source, row.target) for row in require_examples(rows)]
    if not pairs:
        raise CorpusError(f"{files[0]}: no rows")
    left, right = zip(*pairs, strict=True)
    return Texts(" against ".join(file.name for file in files), left, right)


def hint_at_repeats(texts: Texts, talk: Talk) -> None:
    """Suggest --multi-reference if many sources occur more than once."""
    repeats = len(texts.sources) - len(set(map(key_of, texts.sources)))
    if repeats > MANY_REPEATS * len(texts.sources):
        talk.say(
            f"{repeats:,} of {len(texts.sources):,} pairs repeat the source of an earlier pair; "
            "--multi-reference scores each source once, against the closest of its targets"
        )


def ask(texts: Texts, *, once: bool) -> Asked:
    """Return the sources to translate: one per pair or, with `once`, each distinct source once.

    Sources that are equal only through noise are not one.
    """
    lines: list[Line] = []
    indices: list[int] = []
    first: dict[str, int] = {}
    keys = texts.clean or texts.sources
    for number, (key, source) in enumerate(zip(keys, texts.sources, strict=True), 1):
        index = first.setdefault(key_of(key), len(lines)) if once else len(lines)
        if index == len(lines):
            lines.append(Line(texts.name, number, source))
        indices.append(index)
    return Asked(tuple(lines), tuple(indices))


def references_of(texts: Texts, asked: Asked) -> list[tuple[str, ...]]:
    """Return the references of each line."""
    found: list[list[str]] = [[] for _ in asked.lines]
    for index, reference in zip(asked.indices, texts.references, strict=True):
        found[index].append(reference)
    return list(map(tuple, found))
