"""The corpus on disk: one memory-mapped Arrow file per split.

The columns are `source` and `target` (text), and `line` (the line number in the input file).
"""

import contextlib
import functools
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, cast, get_args

import numpy as np
import pyarrow as pa

from s2scli.data.arrow import ArrowFile
from s2scli.data.example import Example
from s2scli.errors import CheckpointError, MissingInputError, UsageError
from s2scli.manifest import MANIFEST, Manifest, is_published, read_manifest, verify_files
from s2scli.normalization import Normalization

SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("target", pa.string(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
    ]
)
SPLITS = ("train", "valid", "test")
BATCH_ROWS = 10_000
BATCH_CHARACTERS = 4_000_000


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


def batch_rows(examples: Iterable[Example]) -> Iterator[pa.RecordBatch]:
    """Yield the examples in order, as record batches of bounded size."""
    pending: list[Example] = []
    characters = 0
    for example in examples:
        pending.append(example)
        characters += len(example.source) + len(example.target)
        if len(pending) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield _batch(pending)
            pending, characters = [], 0
    if pending:
        yield _batch(pending)


def _batch(examples: list[Example]) -> pa.RecordBatch:
    columns = [
        [example.source for example in examples],
        [example.target for example in examples],
        [example.line for example in examples],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


class BatchWriter:
    """A context manager that writes record batches to an Arrow file.

    Small batches are joined until they have `BATCH_ROWS` rows or `BATCH_CHARACTERS` bytes. The file
    is complete when the context ends.
    """

    def __init__(self, path: Path, schema: pa.Schema = SCHEMA) -> None:
        self.rows = 0
        self._schema = schema
        self._file = pa.OSFile(os.fsencode(path), "w")
        self._writer = pa.ipc.new_file(self._file, schema)
        self._pending: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of `batch`."""
        self.rows += batch.num_rows
        self._pending.append(batch)
        if (
            sum(pending.num_rows for pending in self._pending) >= BATCH_ROWS
            or sum(pending.nbytes for pending in self._pending) >= BATCH_CHARACTERS
        ):
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
        pending = [batch for batch in self._pending if batch.num_rows]
        if pending:
            table = pa.Table.from_batches(pending, self._schema).combine_chunks()
            self._writer.write_table(table)
        self._pending = []


class TextSplit:
    """A memory-mapped split of a corpus: supports `len`, indexing and iteration."""

    def __init__(self, path: Path) -> None:
        self._file = ArrowFile(path, SCHEMA, "s2s prepare")
        self._starts = np.cumsum([0, *self._file.rows])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(f"row index {index} is out of range for a split of {len(self)} rows")
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        batch = self._file.batch(number)
        row = index - int(self._starts[number])
        return Example(*(batch.column(name)[row].as_py() for name in SCHEMA.names))

    def __iter__(self) -> Iterator[Example]:
        for batch in self.batches():
            columns = (batch.column(name).to_pylist() for name in SCHEMA.names)
            yield from itertools.starmap(Example, zip(*columns, strict=True))

    def sources(self) -> Iterator[str]:
        """Yield every source, in order."""
        return self._texts("source")

    def targets(self) -> Iterator[str]:
        """Yield every target, in order."""
        return self._texts("target")

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the record batches in order, with columns source, target and line."""
        return self._file.batches()

    def _texts(self, name: str) -> Iterator[str]:
        for batch in self.batches():
            yield from batch.column(name).to_pylist()


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
        return TextSplit(split_path(self.folder, split))


@contextlib.contextmanager
def _with_advice() -> Iterator[None]:
    """Add to each `CheckpointError` how to create the corpus again."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{error}; make it again with `s2s prepare`") from error
