"""Removes duplicates and divides rows into splits, in bounded memory.

`write_rows` writes rows to files, with their hashes. The hashes then decide which rows are
duplicates (`stage`) and which split each row belongs to. `write_splits` copies the rows to their
splits.
"""

import bisect
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from s2scli.data.accounting import SAMPLES, DroppedRows, Sample, SplitTally
from s2scli.data.cleaning import DUPLICATE, NEAR_DUPLICATE
from s2scli.data.codecs.cell import Stored, key_of
from s2scli.data.duplicates import DuplicateFinder, pair_digests, source_hashes
from s2scli.data.example import Example
from s2scli.data.near_duplicates import HASHES, NearDuplicateFinder, signatures
from s2scli.data.splitting import Split
from s2scli.data.store import (
    TEXT_SCHEMA,
    BatchWriter,
    Chunk,
    batch_rows,
    schema_of,
    split_path,
)
from s2scli.sides import TEXT, Sides

HashArray: TypeAlias = NDArray[np.int64]

BLOCK_ROWS = 1_000_000
HASH = pa.field("hash", pa.int64(), nullable=False)
CONTENT = pa.field("content", pa.int64(), nullable=False)
DIGEST = pa.field("digest", pa.binary(16), nullable=False)
SIGNATURE = pa.field("signature", pa.binary(2 * HASHES), nullable=False)

Number = TypeVar("Number", np.uint16, np.uint64)


class StagedCorpus:
    """All rows of a corpus on disk, with a mask that excludes duplicates.

    Attributes:
        rows: the number of rows, with duplicates.
        kept: the number of rows without duplicates.
        watched: the name of the column with the hashes for `SourceWatch`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        starts: Sequence[int],
        first: NDArray[np.bool_],
        sides: Sides = TEXT,
        near: NDArray[np.bool_] | None = None,
    ) -> None:
        """Take the rows of some files.

        Args:
            paths: the files in order.
            starts: the number of rows before each file.
            first: which rows are not copies of earlier ones, [rows].
            sides: the kind of each side.
            near: which rows resemble earlier ones, [rows]; None if this was not looked for.
        """
        self.schema = schema_of(sides)
        self.watched = HASH.name if sides.are_text else CONTENT.name
        self.rows, self.kept = len(first), int(np.count_nonzero(first))
        self._paths, self._starts, self._first, self._near = paths, starts, first, near

    def dropped(self, start: int, end: int) -> dict[str, DroppedRows]:
        """Return the duplicates among the rows `start` to `end` - 1 by reason."""
        blocks = range(start, end, BLOCK_ROWS)
        copies = np.concatenate(
            [
                np.empty(0, np.int64),
                *(np.flatnonzero(~self._first[b : min(b + BLOCK_ROWS, end)]) + b for b in blocks),
            ]
        )
        if self._near is None:
            return {DUPLICATE: self._counted(copies)}
        near = self._near[copies]
        return {
            DUPLICATE: self._counted(copies[~near]),
            NEAR_DUPLICATE: self._counted(copies[near]),
        }

    def _counted(self, rows: NDArray[np.int64]) -> DroppedRows:
        """Return the number of some rows, and the first of them."""
        wanted = rows[:SAMPLES].tolist()
        if not wanted:
            return DroppedRows(0)
        samples: list[Sample] = []
        for start, batch in self._read_from(wanted[0], TEXT_SCHEMA.names):
            inside = [row - start for row in wanted if start <= row < start + batch.num_rows]
            for values in batch.take(pa.array(inside, pa.int64())).to_pylist():
                samples.append(Sample(values["line"], values["source"], values["target"]).cut())
            if len(samples) == len(wanted):
                break
        return DroppedRows(len(rows), tuple(samples))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows that are kept, in order, with the columns of the corpus and the hashes."""
        hashes = dict.fromkeys([HASH.name, self.watched])
        for batch, first in self._stored([*self.schema.names, *hashes]):
            yield batch.filter(pa.array(first))

    def hashes(self) -> Iterator[HashArray]:
        """Yield the source hashes of the rows that are kept, in batches."""
        for batch, first in self._stored([HASH.name]):
            yield batch.column("hash").to_numpy()[first]

    def _stored(self, names: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, NDArray[np.bool_]]]:
        """Yield all rows in batches, each with its mask of rows to keep.

        Args:
            names: the columns to read.
        """
        for start, batch in self._read_from(0, names):
            yield batch, self._first[start : start + batch.num_rows]

    def _read_from(self, row: int, names: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the batches from the file of a row on, each with the index of its first row.

        Args:
            row: the index of the row.
            names: the columns to read.
        """
        begin = bisect.bisect_right(self._starts, row) - 1
        for path, start in zip(self._paths[begin:], self._starts[begin:], strict=True):
            for batch in _read(path, names):
                yield start, batch
                start += batch.num_rows


def write_rows(
    examples: Iterable[Example],
    path: Path,
    sides: Sides = TEXT,
    *,
    near: bool = False,
    before: int = 0,
) -> None:
    """Write examples to a file, with the hashes that `stage` needs.

    Args:
        examples: the rows, cleaned.
        path: the path of the file to write.
        sides: the kind of each side.
        near: whether near duplicates are looked for.
        before: added to each line number.
    """
    schema = schema_of(sides).append(HASH).append(DIGEST)
    if not sides.are_text:
        schema = schema.append(CONTENT)
    if near:
        schema = schema.append(SIGNATURE)
    groups: deque[str] = deque()
    with BatchWriter(path, schema) as writer:
        for batch in batch_rows(_noting_groups(examples, groups), sides):
            sources, targets = (batch.column(side).to_pylist() for side in ("source", "target"))
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            columns["line"] = pc.add(columns["line"], before)
            own = [groups.popleft() for _ in sources]
            grouping = batch.column(sides.grouped_by).to_pylist()
            columns["hash"] = pa.array(_group_hashes(own, grouping))
            keys = {side: _keys(batch, side, sides) for side in ("source", "target")}
            columns["digest"] = _binary(DIGEST, pair_digests(keys["source"], keys["target"]))
            if not sides.are_text:
                columns["content"] = pa.array(_group_hashes(own, keys[sides.grouped_by]))
            if near:
                columns["signature"] = _binary(SIGNATURE, signatures(sources, targets))
            arrays = [columns[field.name] for field in schema]
            writer.write(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _keys(batch: pa.RecordBatch, side: str, sides: Sides) -> list[str]:
    """Return the keys of the cells of a side."""
    names: list[str] = batch.column(side).to_pylist()
    if getattr(sides, side) is None:
        return names
    contents = Chunk.of(batch.column(f"{side}_value"))
    return [key_of(Stored(name, contents.row(row))) for row, name in enumerate(names)]


def stage(
    paths: Iterable[Path],
    scratch: Path,
    sides: Sides = TEXT,
    near_duplicates: float | None = None,
) -> StagedCorpus:
    """Find the duplicates among the rows of some files of `write_rows`.

    Args:
        paths: the files, in the order of their rows; each is read as soon as it is there.
        scratch: an empty folder for temporary files.
        sides: the kind of each side.
        near_duplicates: the least similarity of near duplicates; None looks for exact ones only.
    """
    found: list[Path] = []
    starts: list[int] = []
    with ExitStack() as stack:
        finder = stack.enter_context(DuplicateFinder(scratch))
        similar = (
            None
            if near_duplicates is None
            else stack.enter_context(NearDuplicateFinder(scratch / "near"))
        )
        names = [DIGEST.name, *([SIGNATURE.name] if similar else [])]
        for path in paths:
            found.append(path)
            starts.append(finder.rows)
            for batch in _read(path, names):
                finder.add(_values(batch.column("digest"), np.uint64))
                if similar:
                    similar.add(_values(batch.column("signature"), np.uint16))
        first = finder.first_occurrences()
        if similar is None or near_duplicates is None:
            return StagedCorpus(found, starts, first, sides)
        near = similar.near_copies(near_duplicates) & first
        first &= ~near
    return StagedCorpus(found, starts, first, sides, near)


def _read(path: Path, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a file of `write_rows`, with some of its columns."""
    with pa.OSFile(os.fsencode(path)) as source:
        schema = pa.ipc.open_file(source).schema
        options = pa.ipc.IpcReadOptions(included_fields=[schema.names.index(one) for one in names])
        file = pa.ipc.open_file(source, options=options)
        for number in range(file.num_record_batches):
            yield file.get_batch(number)


def _binary(field: pa.Field, values: NDArray[Any]) -> pa.Array:
    """Return the rows of an array as values of a column of bytes."""
    content = pa.py_buffer(np.ascontiguousarray(values))
    return pa.FixedSizeBinaryArray.from_buffers(field.type, len(values), [None, content])


def _values(column: pa.Array, kind: type[Number]) -> NDArray[Number]:
    """Return a column of bytes as an array, [rows, values]."""
    width = column.type.byte_width
    content = np.frombuffer(column.buffers()[1], np.uint8)
    rows = content[column.offset * width : (column.offset + len(column)) * width]
    return rows.view(kind).reshape(len(column), -1)


def _noting_groups(examples: Iterable[Example], groups: deque[str]) -> Iterator[Example]:
    """Yield the examples, and append the group of each to `groups`."""
    for example in examples:
        groups.append(example.group)
        yield example


def _group_hashes(groups: Sequence[str], cells: Sequence[str]) -> HashArray:
    """Return the hash of each row's group or, without one, of its cell, [rows]."""
    return source_hashes([group or cell for group, cell in zip(groups, cells, strict=True)])


def write_held_out(
    examples: Iterable[Example], path: Path, sides: Sides = TEXT
) -> tuple[SplitTally, HashArray]:
    """Write the rows of a valid or test file given by the user.

    Args:
        examples: the rows.
        path: the path of the split to write.
        sides: the kind of each side.

    Returns:
        The tally of the rows, and the source hash of each row, [rows].
    """
    tally, hashes = SplitTally(), [np.empty(0, np.int64)]
    groups: deque[str] = deque()
    with BatchWriter(path, schema_of(sides)) as writer:
        for batch in batch_rows(_noting_groups(examples, groups), sides):
            tally.add(batch)
            own = [groups.popleft() for _ in range(batch.num_rows)]
            hashes.append(_group_hashes(own, _keys(batch, sides.grouped_by, sides)))
            writer.write(batch)
    return tally, np.concatenate(hashes)


class SourceWatch:
    """Counts held-out rows whose source is also in the train split.

    Args:
        hashes: the hashes of the held-out sources; only these are held in memory.
    """

    def __init__(self, hashes: HashArray) -> None:
        self._watched = np.unique(hashes)
        self._seen = np.zeros(len(self._watched), np.bool_)

    def see(self, hashes: HashArray) -> None:
        """Record the source hashes of train rows."""
        indices = np.searchsorted(self._watched, hashes)
        inside = indices < len(self._watched)
        indices, hashes = indices[inside], hashes[inside]
        self._seen[indices[self._watched[indices] == hashes]] = True

    def count(self, hashes: HashArray) -> int:
        """Return the number of rows whose source was seen in the train split.

        Args:
            hashes: the source hashes of the rows, all of which must be among those watched.
        """
        return int(np.isin(hashes, self._watched[self._seen]).sum())


def write_splits(
    corpus: StagedCorpus, split: Split, folder: Path, watch: SourceWatch
) -> dict[str, SplitTally]:
    """Write each row of the corpus to the file of its split in `folder`.

    Args:
        corpus: the staged rows.
        split: the hash limits that assign rows to splits; only `split.names` get a file.
        folder: the folder of the split files.
        watch: records the source hashes of the train split.

    Returns:
        The tally of each split, by name.
    """
    tallies = {name: SplitTally() for name in split.names}
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(BatchWriter(split_path(folder, name), corpus.schema))
            for name in tallies
        }
        for batch in corpus.batches():
            hashes = batch.column("hash").to_numpy()
            masks = split.masks(hashes)
            watch.see(batch.column(corpus.watched).to_numpy()[masks["train"]])
            for name, mask in masks.items():
                part = batch.select(corpus.schema.names).filter(pa.array(mask))
                tallies[name].add(part)
                writers[name].write(part)
    return tallies
