"""The corpus as token ids on disk: one memory-mapped Arrow file for each split.

Columns: `source` and `target`, lists of int32 without special tokens. A source of sound or
pictures has no tokens and no column: its values are read from the corpus.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from s2scli.data.arrow import ArrowFile
from s2scli.data.batching import Lengths
from s2scli.data.codecs.codec import SourceCodec
from s2scli.data.example import TokenIds, Values
from s2scli.data.store import Chunk, Corpus, TextSplit, split_path
from s2scli.errors import CheckpointError, MissingInputError
from s2scli.manifest import read_manifest
from s2scli.sides import Input

if TYPE_CHECKING:
    from torch import Tensor

Encode: TypeAlias = Callable[[Sequence[str]], Sequence[Sequence[int]]]

TOKEN_IDS = pa.list_(pa.field("item", pa.int32(), nullable=False))
TARGET = pa.field("target", TOKEN_IDS, nullable=False)
SCHEMA = pa.schema([pa.field("source", TOKEN_IDS, nullable=False), TARGET])
SCHEMA_WITHOUT_SOURCE = pa.schema([TARGET])


def encode_split(
    split: TextSplit,
    path: Path,
    encode_source: Encode | None,
    encode_target: Encode,
    advance: Callable[[int], None],
) -> None:
    """Write the token ids of a split to a file, in record batches of bounded size.

    Args:
        split: the text.
        path: the file to write.
        encode_source: returns the ids of sources; None for sources without tokens.
        encode_target: returns the ids of targets.
        advance: called with the number of rows written since the last call.
    """
    schema = SCHEMA if encode_source else SCHEMA_WITHOUT_SOURCE
    with pa.OSFile(os.fsencode(path), "w") as file, pa.ipc.new_file(file, schema) as writer:
        for sources, targets in split.cells():
            sides = [encode_source(sources)] if encode_source else []
            sides.append(encode_target(targets))
            arrays = [pa.array(ids, TOKEN_IDS) for ids in sides]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            advance(len(targets))


def pad_ids(sources: Sequence[Values]) -> "tuple[Tensor, Tensor]":
    """Return token ids with end tokens, padded, [B, S], and their lengths, [B]."""
    from s2scli.data.batch import make_source  # torch takes over a second to import

    return make_source(sources)


class Column:
    """One side of a split: the chunks of its record batches, as one list of rows."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self.chunks = chunks
        self._starts = np.cumsum([0, *(len(chunk.ends) - 1 for chunk in chunks)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def lengths(self) -> Lengths:
        """Return the length of every row, [rows]."""
        lengths = (np.diff(chunk.ends) for chunk in self.chunks)
        return np.concatenate([np.empty(0, np.int32), *lengths])

    def rows(self, rows: NDArray[np.int64]) -> list[Values]:
        """Return some rows, as read-only views of the file."""
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a split of {len(self)} rows")
        chunks = np.searchsorted(self._starts, rows, side="right") - 1
        numbers = (rows - self._starts[chunks]).tolist()
        found = zip(chunks.tolist(), numbers, strict=True)
        return [self.chunks[chunk].row(row) for chunk, row in found]


class EncodedSplit:
    """One split as a model reads it, memory-mapped; only the lengths are held in memory.

    Args:
        path: the file of the token ids.
        codec: of a source without tokens; None for one with tokens.
        values: the samples or pixels of that source.

    Attributes:
        source_lengths: tokens of each source, without special tokens, or its size by its codec,
            [rows].
        target_lengths: tokens of each target, without special tokens, [rows].
        pad: how sources are padded.

    Raises:
        CheckpointError: the file is damaged, or is not of the same rows as `values`.
    """

    def __init__(
        self, path: Path, codec: SourceCodec | None = None, values: Sequence[Chunk] = ()
    ) -> None:
        schema = SCHEMA_WITHOUT_SOURCE if codec else SCHEMA
        batches = list(ArrowFile(path, schema, "s2s train-tokenizer").batches())
        self._path = path
        self._targets = Column([Chunk.of(batch.column("target")) for batch in batches])
        self._sources = Column(
            values if codec else [Chunk.of(batch.column("source")) for batch in batches]
        )
        if len(self._sources) != len(self._targets):
            raise CheckpointError(
                f"{path}: {len(self._targets):,} rows, and the corpus has {len(self._sources):,}; "
                "make it again with `s2s train-tokenizer`"
            )
        self.pad = codec.pad if codec else pad_ids
        lengths = self._sources.lengths()
        self.source_lengths = codec.sizes(lengths) if codec else lengths
        self.target_lengths = self._targets.lengths()

    def __len__(self) -> int:
        return len(self._targets)

    def check_ids(self, reads: Input, target_size: int) -> None:
        """Check that every id is one of a vocabulary.

        Args:
            reads: tokens of the source's vocabulary; sound and pictures are not checked.
            target_size: of the target's.

        Raises:
            CheckpointError: one is not.
        """
        checked = [(self._sources, reads)] if isinstance(reads, int) else []
        for column, size in (*checked, (self._targets, target_size)):
            for ids in (chunk.values for chunk in column.chunks if len(chunk.values)):
                if not 0 <= ids.min() <= ids.max() < size:
                    raise CheckpointError(
                        f"{self._path}: damaged, it has token ids outside the vocabulary of "
                        f"{size:,}; make it again with `s2s train-tokenizer`"
                    )

    def gather(self, rows: NDArray[np.int64]) -> tuple[list[Values], list[TokenIds]]:
        """Return some rows' sources and targets, as read-only views of the files.

        Args:
            rows: row indices, [rows].
        """
        return self._sources.rows(rows), cast(list[TokenIds], self._targets.rows(rows))


def open_encoded(
    folder: Path, split: str, corpus: Corpus | None = None, codec: SourceCodec | None = None
) -> EncodedSplit:
    """Open one split (train, valid or test) of the encoded corpus in `folder`.

    Args:
        folder: of the encoded corpus.
        split: the name of the split.
        corpus: what was encoded; it holds the values of a source without tokens.
        codec: of the corpus's source.

    Raises:
        MissingInputError: there is no encoded corpus, or it has no such split.
        CheckpointError: it is damaged or of a newer format.
    """
    if not folder.is_dir():
        raise MissingInputError(f"{folder}: no encoded corpus here; run: s2s train-tokenizer")
    path = split_path(folder, split)
    if path.name not in read_manifest(folder, "encoded").files:
        raise MissingInputError(
            f"{folder}: the corpus has no {split} split; prepare it again with "
            f"--{split}-size N or --{split} FILE"
        )
    if corpus is None or codec is None or corpus.sides.source is None:
        return EncodedSplit(path)
    return EncodedSplit(path, codec, corpus.open_split(split).values("source"))
