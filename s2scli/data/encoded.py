"""The encoded corpus on disk: one memory-mapped Arrow file of token ids per split.

The columns `source` and `target` are lists of int32, without special tokens.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from s2scli.data.arrow import ArrowFile
from s2scli.data.example import TokenIds
from s2scli.data.store import TextSplit, split_path
from s2scli.errors import CheckpointError, MissingInputError
from s2scli.manifest import read_manifest

Encode: TypeAlias = Callable[[list[str]], list[list[int]]]

TOKEN_IDS = pa.list_(pa.field("item", pa.int32(), nullable=False))
SCHEMA = pa.schema(
    [
        pa.field("source", TOKEN_IDS, nullable=False),
        pa.field("target", TOKEN_IDS, nullable=False),
    ]
)


def encode_split(
    split: TextSplit,
    path: Path,
    encode_source: Encode,
    encode_target: Encode,
    advance: Callable[[int], None],
) -> None:
    """Write the token ids of a split to a file, in record batches of bounded size.

    Args:
        split: the text of the split.
        path: the path of the file to write.
        encode_source: returns the token ids of sources.
        encode_target: returns the token ids of targets.
        advance: reports progress; called with the number of rows written since the last call.
    """
    with pa.OSFile(os.fsencode(path), "w") as file, pa.ipc.new_file(file, SCHEMA) as writer:
        for batch in split.batches():
            source = encode_source(batch.column("source").to_pylist())
            target = encode_target(batch.column("target").to_pylist())
            arrays = [pa.array(ids, TOKEN_IDS) for ids in (source, target)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))
            advance(batch.num_rows)


@dataclass(frozen=True)
class _Chunk:
    """One side of a record batch, as views of the memory-mapped file.

    Attributes:
        ids: the concatenated token ids of all rows, [tokens].
        ends: offsets: row i is ids[ends[i] : ends[i + 1]], [rows + 1].
    """

    ids: TokenIds
    ends: TokenIds

    def row(self, number: int) -> TokenIds:
        return self.ids[self.ends[number] : self.ends[number + 1]]


class EncodedSplit:
    """The memory-mapped token ids of one split; only the lengths are copied to memory.

    Attributes:
        source_lengths: the number of tokens in each source, without special tokens, [rows].
        target_lengths: the number of tokens in each target, likewise, [rows].
    """

    def __init__(self, path: Path) -> None:
        batches = list(ArrowFile(path, SCHEMA, "s2s train-tokenizer").batches())
        self._path = path
        self._sources = [_chunk(batch.column(0)) for batch in batches]
        self._targets = [_chunk(batch.column(1)) for batch in batches]
        self._starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
        self.source_lengths = _lengths(self._sources)
        self.target_lengths = _lengths(self._targets)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def check_ids(self, source_size: int, target_size: int) -> None:
        """Check that every token id is in the vocabulary.

        Args:
            source_size: the size of the source vocabulary.
            target_size: the size of the target vocabulary.

        Raises:
            CheckpointError: an id is outside the vocabulary.
        """
        for chunks, size in ((self._sources, source_size), (self._targets, target_size)):
            for ids in (chunk.ids for chunk in chunks if len(chunk.ids)):
                if not 0 <= ids.min() <= ids.max() < size:
                    raise CheckpointError(
                        f"{self._path}: damaged (token ids outside the vocabulary of {size:,} "
                        "tokens); make it again with `s2s train-tokenizer`"
                    )

    def gather(self, rows: NDArray[np.int64]) -> tuple[list[TokenIds], list[TokenIds]]:
        """Return the source and target token ids of some rows, as read-only views of the file.

        Args:
            rows: row indices, [rows].

        Raises:
            IndexError: an index is out of range.
        """
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(
                f"row indices from {rows.min()} to {rows.max()} are out of range for a split of "
                f"{len(self)} rows"
            )
        chunks = np.searchsorted(self._starts, rows, side="right") - 1
        found = list(zip(chunks.tolist(), (rows - self._starts[chunks]).tolist(), strict=True))
        return (
            [self._sources[chunk].row(row) for chunk, row in found],
            [self._targets[chunk].row(row) for chunk, row in found],
        )


def _chunk(column: Any) -> _Chunk:
    return _Chunk(column.values.to_numpy(), column.offsets.to_numpy())


def _lengths(chunks: list[_Chunk]) -> TokenIds:
    return np.concatenate([np.empty(0, np.int32), *(np.diff(chunk.ends) for chunk in chunks)])


def open_encoded(folder: Path, split: str) -> EncodedSplit:
    """Open one split (train, valid or test) of the encoded corpus in `folder`.

    Raises:
        MissingInputError: there is no encoded corpus, or it does not have this split.
        CheckpointError: the corpus is damaged or has a newer format.
    """
    if not folder.is_dir():
        raise MissingInputError(f"{folder}: no encoded corpus here; run: s2s train-tokenizer")
    path = split_path(folder, split)
    if path.name not in read_manifest(folder, "encoded").files:
        raise MissingInputError(
            f"{folder}: the corpus has no {split} split; prepare it again with "
            f"--{split}-size N or --{split} FILE"
        )
    return EncodedSplit(path)
