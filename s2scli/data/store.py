"""The corpus on disk: one memory-mapped Arrow file per split.

The columns are `source` and `target` (text, or file names), and `line` (the line number in the
input file). A side of audio or images also has a column `source_value` or `target_value`: the
samples, or the pixels column by column. A split that does not exist has no file.
"""

import contextlib
import functools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self, TypeVar, cast, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, TypeAdapter, ValidationError

from s2scli.artifacts import first_fault
from s2scli.data.arrow import ArrowFile
from s2scli.data.codecs.cell import Stored
from s2scli.data.example import Example, Values
from s2scli.data.mixing import LEAST, MOST, Mixture
from s2scli.errors import CheckpointError, MissingInputError, UsageError
from s2scli.manifest import MANIFEST, Manifest, is_published, read_manifest, verify_files
from s2scli.normalization import Normalization
from s2scli.sides import TEXT, Sides
from s2scli.tags import check_tag

T = TypeVar("T")
TEXT_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("target", pa.string(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
    ]
)
VALUE_TYPES = {
    "audio": pa.list_(pa.field("item", pa.int16(), nullable=False)),
    "image": pa.list_(pa.field("item", pa.uint8(), nullable=False)),
}
SPLITS = ("train", "valid", "test")
Side = Literal["source", "target"]
SIDES, MIXTURE = TypeAdapter(Sides), TypeAdapter(Mixture)
TAGS = TypeAdapter(tuple[Annotated[str, AfterValidator(check_tag)], ...])
BATCH_ROWS = 10_000
BATCH_CHARACTERS = 4_000_000


def schema_of(sides: Sides = TEXT) -> pa.Schema:
    """Return the columns of a corpus with these sides."""
    schema = TEXT_SCHEMA
    for name, media in (("source", sides.source), ("target", sides.target)):
        if media:
            field = pa.field(f"{name}_value", VALUE_TYPES[media.kind], nullable=False)
            schema = schema.append(field)
    return schema


def split_path(folder: Path, split: str) -> Path:
    """Return the path of the file of a split in `folder`."""
    return folder / f"{split}.arrow"


def require_split(split: str) -> None:
    """Check the value of `--split`.

    Raises:
        UsageError: it is not the name of a split.
    """
    if split not in SPLITS:
        raise UsageError(f"--split {split}: expected one of {', '.join(SPLITS)}")


def batch_rows(examples: Iterable[Example], sides: Sides = TEXT) -> Iterator[pa.RecordBatch]:
    """Yield the examples in order, as record batches of bounded size."""
    schema = schema_of(sides)
    pending: list[Example] = []
    characters = 0
    for example in examples:
        pending.append(example)
        characters += _size(example.source) + _size(example.target)
        if len(pending) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield _batch(pending, schema)
            pending, characters = [], 0
    if pending:
        yield _batch(pending, schema)


def _size(cell: str) -> int:
    return cell.values.nbytes if isinstance(cell, Stored) else len(cell)


def _batch(examples: list[Example], schema: pa.Schema) -> pa.RecordBatch:
    sources, targets = [one.source for one in examples], [one.target for one in examples]
    columns = {
        "source": sources,
        "target": targets,
        "line": [example.line for example in examples],
        "source_value": [cell.values.ravel() for cell in sources if isinstance(cell, Stored)],
        "target_value": [cell.values.ravel() for cell in targets if isinstance(cell, Stored)],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class BatchWriter:
    """A context manager that writes record batches to an Arrow file.

    Small batches are joined until they have `BATCH_ROWS` rows or `BATCH_CHARACTERS` bytes. The file
    is complete when the context ends.
    """

    def __init__(self, path: Path, schema: pa.Schema = TEXT_SCHEMA) -> None:
        self.rows = 0
        self._schema = schema
        self._file = pa.OSFile(os.fsencode(path), "w")
        self._writer = pa.ipc.new_file(self._file, schema)
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._pending_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of `batch`."""
        self.rows += batch.num_rows
        if batch.num_rows:
            self._pending.append(batch)
            self._pending_rows += batch.num_rows
            self._pending_bytes += batch.nbytes
        if self._pending_rows >= BATCH_ROWS or self._pending_bytes >= BATCH_CHARACTERS:
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()
        self._file.close()

    def _flush(self) -> None:
        if self._pending:
            table = pa.Table.from_batches(self._pending, self._schema).combine_chunks()
            self._writer.write_table(table)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0


@dataclass(frozen=True)
class Chunk:
    """One side of a record batch, as views of the memory-mapped file.

    Attributes:
        values: the concatenated token ids, samples [n] or columns of pixels [n, F] of all rows.
        ends: offsets: row i is values[ends[i] : ends[i + 1]], [rows + 1].
    """

    values: Values
    ends: NDArray[np.int32]

    @classmethod
    def of(cls, column: pa.Array, row_shape: tuple[int, ...] = ()) -> Self:
        """Return a column of lists.

        Args:
            column: of lists.
            row_shape: () for single values, (F,) for groups of F that belong together.

        Raises:
            CheckpointError: a list does not divide into groups.
        """
        values, ends = column.values.to_numpy(), column.offsets.to_numpy()
        if not row_shape:
            return cls(values, ends)
        (group,) = row_shape
        if len(values) % group or (ends % group).any():
            raise CheckpointError(f"damaged: pixels that are no columns of {group} values")
        return cls(values.reshape(-1, group), ends // group)

    def row(self, number: int) -> Values:
        """Return the values of a row, as a read-only view."""
        return self.values[self.ends[number] : self.ends[number + 1]]


class TextSplit:
    """A memory-mapped split of a corpus: supports `len`, indexing and iteration."""

    def __init__(self, path: Path, sides: Sides = TEXT) -> None:
        self._file = ArrowFile(path, schema_of(sides), "s2s prepare")
        self._sides = sides
        self._starts = np.cumsum([0, *self._file.rows])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(f"row index {index} is out of range for a split of {len(self)} rows")
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        batch = self._file.batch(number)
        row = index - int(self._starts[number])
        return next(self._examples(batch.slice(row, 1)))

    def __iter__(self) -> Iterator[Example]:
        for batch in self.batches():
            yield from self._examples(batch)

    def sources(self) -> Iterator[str]:
        """Yield every source, in order; a sound or a picture with its content."""
        return self._cells("source")

    def targets(self) -> Iterator[str]:
        """Yield every target, in order; a picture with its content."""
        return self._cells("target")

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the record batches in order, with columns source, target and line."""
        return self._file.batches()

    @property
    def batch_rows(self) -> Sequence[int]:
        """The number of rows of each record batch."""
        return self._file.rows

    def cells(
        self, first: int = 0, end: int | None = None
    ) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the sources and the targets, batch by batch, in order.

        Args:
            first: the index of the first record batch.
            end: the index after the last one; None is the end.
        """
        for number in range(len(self._starts) - 1)[first:end]:
            batch = self._file.batch(number)
            yield list(self._cells_of(batch, "source")), list(self._cells_of(batch, "target"))

    def values(self, side: Side) -> list[Chunk]:
        """Return the samples or pixels of one side, which is not text, batch by batch."""
        return [
            Chunk.of(batch.column(f"{side}_value"), self._row_shape(side))
            for batch in self.batches()
        ]

    def _cells(self, side: Side) -> Iterator[str]:
        for batch in self.batches():
            yield from self._cells_of(batch, side)

    def _examples(self, batch: pa.RecordBatch) -> Iterator[Example]:
        sources, targets = self._cells_of(batch, "source"), self._cells_of(batch, "target")
        return map(Example, sources, targets, batch.column("line").to_pylist())

    def _cells_of(self, batch: pa.RecordBatch, side: Side) -> Iterable[str]:
        texts: list[str] = batch.column(side).to_pylist()
        if getattr(self._sides, side) is None:
            return texts
        chunk = Chunk.of(batch.column(f"{side}_value"), self._row_shape(side))
        return [Stored(name, chunk.row(row)) for row, name in enumerate(texts)]

    def _row_shape(self, side: Side) -> tuple[int, ...]:
        media = getattr(self._sides, side)
        return (media.height * media.channels,) if media.kind == "image" else ()


@dataclass(frozen=True)
class Corpus:
    """A prepared corpus.

    Attributes:
        folder: the folder of the corpus.
        manifest: the manifest; its facts are the settings of `s2s prepare` and the hashes of the
            input files.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the manifest of the corpus in `folder`.

        Raises:
            MissingInputError: there is no corpus; the message says how to create one.
            CheckpointError: the manifest is damaged or has a newer format.
        """
        if not (folder.is_dir() or is_published(folder)):
            raise MissingInputError(f"{folder}: no corpus here; make one: s2s prepare CORPUS.tsv")
        with _with_advice():
            return cls(folder, read_manifest(folder, "corpus"))

    @property
    def digest(self) -> str:
        """The SHA-256 that identifies the content of the corpus."""
        return self.manifest.digest

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits: train, and valid and test if they exist."""
        files = self.manifest.files
        return tuple(name for name in SPLITS if split_path(self.folder, name).name in files)

    @property
    def normalization(self) -> Normalization:
        """The Unicode normalization of the text.

        Raises:
            CheckpointError: the manifest has no valid normalization.
        """
        found = self.manifest.facts.get("normalization")
        if found not in get_args(Normalization):
            raise CheckpointError(
                f"{self.folder / MANIFEST}: expected one of the normalizations "
                f"{', '.join(get_args(Normalization))}, found {found!r:.80}; make the corpus "
                "again with `s2s prepare`"
            )
        return cast(Normalization, found)

    @functools.cached_property
    def sides(self) -> Sides:
        """What its sides are made of.

        Raises:
            CheckpointError: the manifest says something impossible.
        """
        return self._fact(SIDES, "sides", {})

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags in front of its sources.

        Raises:
            CheckpointError: the manifest says something impossible.
        """
        return self._fact(TAGS, "tags", ())

    @property
    def mixture(self) -> Mixture:
        """How often the rows of its train split are seen in an epoch.

        Raises:
            CheckpointError: the manifest says something impossible.
        """
        found = self._fact(MIXTURE, "mixture", {})
        if len(found.rows) != len(found.times) or not all(map(_is_times, found.times)):
            raise CheckpointError(
                f"{self.folder / MANIFEST}: mixture: damaged; make the corpus again with "
                "`s2s prepare`"
            )
        return found

    def _fact(self, kind: TypeAdapter[T], name: str, default: Any) -> T:
        """Return a fact of the manifest, which is not trusted."""
        try:
            tree = self.manifest.facts.get(name, default)
            return kind.validate_json(json.dumps(tree), strict=True)
        except ValidationError as error:
            raise CheckpointError(
                f"{self.folder / MANIFEST}: {name}: {first_fault(error)}; make the corpus again "
                "with `s2s prepare`"
            ) from error

    @functools.cached_property
    def verified(self) -> Self:
        """The corpus itself, after a check of the hashes of its files; they are checked only once.

        Raises:
            CheckpointError: a file is missing, has changed or is not a regular file.
        """
        with _with_advice():
            verify_files(self.folder, self.manifest)
        return self

    def open_split(self, split: str) -> TextSplit:
        """Open one split: train, valid or test.

        Raises:
            MissingInputError: the corpus does not have this split; the message says how to create
                one.
            CheckpointError: the split is damaged.
        """
        if split not in self.splits:
            raise MissingInputError(
                f"{self.folder}: the corpus has no {split} split; prepare it again with "
                f"--{split}-size N or --{split} FILE"
            )
        return TextSplit(split_path(self.folder, split), self.sides)


def _is_times(times: float) -> bool:
    return LEAST <= times <= MOST


@contextlib.contextmanager
def _with_advice() -> Iterator[None]:
    """Add to each `CheckpointError` how to create the corpus again."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{error}; make it again with `s2s prepare`") from error
