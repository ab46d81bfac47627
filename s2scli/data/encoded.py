"""The encoded corpus on disk: one memory-mapped Arrow file of token ids per split.

The columns `source` and `target` are lists of int32, without special tokens. For a source of audio
or images there is no column `source`: its values are in the corpus. For a model that copies, the
ids are those of `tokenizer.copying`: some are outside the vocabulary.
"""

import os
from collections.abc import Callable, Iterable, Sequence
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

    from s2scli.data.batch import Pad

Encode: TypeAlias = Callable[[Sequence[str]], Sequence[Sequence[int]]]
EncodeTarget: TypeAlias = Callable[[Sequence[str], Sequence[str]], Sequence[Sequence[int]]]

COMMAND = "s2s train-tokenizer"
MIN_ID = np.iinfo(np.int32).min
TOKEN_IDS = pa.list_(pa.field("item", pa.int32(), nullable=False))
TARGET = pa.field("target", TOKEN_IDS, nullable=False)
SCHEMA = pa.schema([pa.field("source", TOKEN_IDS, nullable=False), TARGET])
SCHEMA_WITHOUT_SOURCE = pa.schema([TARGET])


def encode_split(
    split: TextSplit,
    path: Path,
    encode_source: Encode | None,
    encode_target: EncodeTarget,
    advance: Callable[[int], None] = lambda rows: None,
    *,
    first: int = 0,
    end: int | None = None,
) -> None:
    """Write the token ids of a split to a file, in record batches of bounded size.

    Args:
        split: the text of the split.
        path: the path of the file to write.
        encode_source: returns the token ids of sources; None for sources without tokens.
        encode_target: returns the token ids of targets, given their sources too.
        advance: reports progress; called with the number of rows written since the last call.
        first: the index of the first record batch to encode.
        end: the index after the last one; None is the end.
    """
    schema = SCHEMA if encode_source else SCHEMA_WITHOUT_SOURCE
    with pa.OSFile(os.fsencode(path), "w") as file, pa.ipc.new_file(file, schema) as writer:
        for sources, targets in split.cells(first, end):
            sides = [encode_source(sources)] if encode_source else []
            sides.append(encode_target(targets, sources))
            arrays = [pa.array(ids, TOKEN_IDS) for ids in sides]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            advance(len(targets))


def join_encoded(parts: Iterable[Path], path: Path, *, with_source: bool) -> None:
    """Write the record batches of several files of `encode_split` to one file.

    Args:
        parts: the files, in the order of their rows; each is read as soon as it is there.
        path: the path of the file to write.
        with_source: whether sources have tokens.
    """
    schema = SCHEMA if with_source else SCHEMA_WITHOUT_SOURCE
    with pa.OSFile(os.fsencode(path), "w") as file, pa.ipc.new_file(file, schema) as writer:
        for part in parts:
            with pa.OSFile(os.fsencode(part)) as source:
                stored = pa.ipc.open_file(source)
                for number in range(stored.num_record_batches):
                    writer.write_batch(stored.get_batch(number))


def pad_ids(sources: Sequence[Values]) -> "tuple[Tensor, Tensor]":
    """Add end tokens to token ids and pad them, [B, S]; return them and their lengths, [B]."""
    from s2scli.data.batch import make_source  # torch takes over a second to import

    return make_source(sources)


class Column:
    """One side of a split: the chunks of its record batches, as one list of rows."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self.chunks = chunks
        self._starts = np.cumsum([0, *(len(chunk.ends) - 1 for chunk in chunks)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def lengths(self, begin: int, end: int) -> Lengths:
        """Return the lengths of the rows from `begin` to `end`, exclusive, [rows]."""
        first, last = np.searchsorted(self._starts, [begin + 1, end]) - 1
        lengths = [np.empty(0, np.int32)]
        for number in range(first, last + 1):
            chunk, start = self.chunks[number], int(self._starts[number])
            lengths.append(np.diff(chunk.ends[max(0, begin - start) : end - start + 1]))
        return np.concatenate(lengths)

    def rows(self, rows: NDArray[np.int64]) -> list[Values]:
        """Return some rows, as read-only views of the file."""
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(
                f"row indices from {rows.min()} to {rows.max()} are out of range for a split of "
                f"{len(self)} rows"
            )
        chunks = np.searchsorted(self._starts, rows, side="right") - 1
        numbers = (rows - self._starts[chunks]).tolist()
        found = zip(chunks.tolist(), numbers, strict=True)
        return [self.chunks[chunk].row(row) for chunk, row in found]


class EncodedSplit:
    """The memory-mapped sources and targets of one split; nothing is copied to memory.

    Args:
        path: the file of token ids.
        codec: the codec of a source without tokens; None if the source has tokens.
        values: the samples or pixels of a source without tokens.
        reads: the size of the source vocabulary, which bounds the ids; None, or the settings of
            audio or images, for no bound.
        target_size: the size of the target vocabulary; None for no bound.
        copying: pads the sources of a model that copies, whose ids have one bound only: a source
            may have ids from `reads` on, a target negative ones.
        pad: pads other sources with tokens; None adds end tokens to them.

    Attributes:
        pad: pads sources.

    Raises:
        CheckpointError: the file is damaged, or its number of rows differs from that of `values`.
    """

    def __init__(
        self,
        path: Path,
        codec: SourceCodec | None = None,
        values: Sequence[Chunk] = (),
        reads: Input | None = None,
        target_size: int | None = None,
        copying: "Pad | None" = None,
        pad: "Pad | None" = None,
    ) -> None:
        self._file = ArrowFile(path, SCHEMA_WITHOUT_SOURCE if codec else SCHEMA, COMMAND)
        batches = list(self._file.batches())
        self._path, self._codec = path, codec
        source_size = reads if isinstance(reads, int) else None
        self._vocab_sizes = (None if copying else source_size), target_size
        self._lowest = 0, MIN_ID if copying else 0
        self._targets = Column([Chunk.of(batch.column("target")) for batch in batches])
        self._sources = Column(
            values if codec else [Chunk.of(batch.column("source")) for batch in batches]
        )
        if len(self._sources) != len(self._targets):
            raise CheckpointError(
                f"{path}: {len(self._targets):,} rows, and the corpus has {len(self._sources):,}; "
                "make it again with `s2s train-tokenizer`"
            )
        self.pad = codec.pad if codec else copying or pad or pad_ids

    def __len__(self) -> int:
        return len(self._targets)

    def lengths(self, begin: int, end: int) -> tuple[Lengths, Lengths]:
        """Return the source and target lengths of the rows from `begin` to `end`, exclusive.

        A length is the number of tokens, without special tokens, or the size that the codec of the
        source returns, [rows].
        """
        sources = self._sources.lengths(begin, end)
        sizes = self._codec.sizes(sources) if self._codec else sources
        return sizes, self._targets.lengths(begin, end)

    def gather(self, rows: NDArray[np.int64]) -> tuple[list[Values], list[TokenIds]]:
        """Return the sources and target token ids of some rows, as read-only views of the files.

        Args:
            rows: row indices, [rows].

        Raises:
            IndexError: an index is out of range.
            CheckpointError: a token id is outside the vocabulary.
        """
        sides = self._sources.rows(rows), self._targets.rows(rows)
        for side, size, lowest in zip(sides, self._vocab_sizes, self._lowest, strict=True):
            if size is not None:
                self._check_ids(side, size, lowest)
        return sides[0], cast(list[TokenIds], sides[1])

    def release(self) -> None:
        """Release the memory of the token ids read so far; they are read again when needed."""
        self._file.release()

    def _check_ids(self, rows: list[Values], vocab_size: int, lowest: int) -> None:
        ids = np.concatenate([np.empty(0, np.int32), *rows])
        if not lowest <= ids.min(initial=0) <= ids.max(initial=0) < vocab_size:
            raise CheckpointError(
                f"{self._path}: damaged (token ids outside the vocabulary of {vocab_size:,} "
                "tokens); make it again with `s2s train-tokenizer`"
            )


def open_encoded(
    folder: Path,
    split: str,
    corpus: Corpus | None = None,
    codec: SourceCodec | None = None,
    *,
    reads: Input | None = None,
    target_size: int | None = None,
    copying: bool = False,
) -> EncodedSplit:
    """Open one split (train, valid or test) of the encoded corpus in `folder`.

    Args:
        folder: of the encoded corpus.
        split: the name of the split.
        corpus: what was encoded; it holds the values of a source without tokens.
        codec: of the corpus's source.
        reads: see `EncodedSplit`.
        target_size: see `EncodedSplit`.
        copying: whether the corpus was encoded for a model that copies.

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
    if copying and codec:
        return EncodedSplit(path, reads=reads, target_size=target_size, copying=codec.pad)
    if corpus is None or codec is None or corpus.sides.source is None:
        pad = codec.pad if codec else None
        return EncodedSplit(path, reads=reads, target_size=target_size, pad=pad)
    values = corpus.open_split(split).values("source")
    return EncodedSplit(path, codec, values, reads=reads, target_size=target_size)


def check_encoded(folder: Path, splits: Iterable[str]) -> None:
    """Check that these splits of an encoded corpus can be read, with or without a source.

    Raises:
        CheckpointError: a split is damaged.
    """
    for split in splits:
        path = split_path(folder, split)
        try:
            batches = ArrowFile(path, SCHEMA, COMMAND).batches()
        except CheckpointError:
            batches = ArrowFile(path, SCHEMA_WITHOUT_SOURCE, COMMAND).batches()
        for batch in batches:
            for name in batch.schema.names:
                Chunk.of(batch.column(name))
