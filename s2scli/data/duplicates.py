"""Finds exact duplicates among any number of rows, in bounded memory.

The digest of each row is written to one of `BUCKETS` files, chosen by the digest, so that equal
rows go to the same file. Each file is then sorted on its own, in parts of about `PART_ROWS` rows,
which are chosen by the digest too.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

BUCKETS = 64
PART_ROWS = 100_000
RECORD = np.dtype([("high", "<u8"), ("low", "<u8"), ("row", "<u8")])

Number = TypeVar("Number", np.bool_, np.int64)


def pair_digests(sources: Sequence[str], targets: Sequence[str]) -> NDArray[np.uint64]:
    """Return the 128-bit digest of each pair, [rows, 2]."""
    pairs = zip(sources, targets, strict=True)  # a TAB never occurs inside a side
    return _digests((f"{source}\t{target}" for source, target in pairs), 16).reshape(-1, 2)


def source_hashes(sources: Sequence[str]) -> NDArray[np.int64]:
    """Return a 63-bit, non-negative hash of each source, [rows]."""
    return (_digests(iter(sources), 8) >> np.uint64(1)).astype(np.int64)


class DuplicateFinder:
    """Collects digests batch by batch, then finds the rows that are copies of earlier rows."""

    def __init__(self, folder: Path) -> None:
        self.rows = 0
        self._folder = folder
        self._paths = [folder / f"bucket-{number:02d}" for number in range(BUCKETS)]
        self._files = contextlib.ExitStack()
        self._buckets = [
            self._files.enter_context(path.open("wb", buffering=1 << 16)) for path in self._paths
        ]

    def add(self, digests: NDArray[np.uint64]) -> None:
        """Add the digests of the next rows, [rows, 2]."""
        records = np.empty(len(digests), RECORD)
        records["high"], records["low"] = digests[:, 0], digests[:, 1]
        records["row"] = np.arange(self.rows, self.rows + len(digests))
        self.rows += len(digests)
        numbers = digests[:, 0] % BUCKETS
        order = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[order], np.arange(BUCKETS), side="right")
        for bucket, part in zip(self._buckets, np.split(records[order], ends[:-1]), strict=True):
            bucket.write(part.tobytes())

    def first_occurrences(self) -> NDArray[np.bool_]:
        """Return a mask that is True at rows that are not a copy of an earlier row, [rows].

        The mask is a memory-mapped file with one byte per row, so that the system can move it out
        of memory.
        """
        first = self._mapped("first", np.bool_)
        for records, copies in self._sorted():
            first[records["row"][:1]] = True
            first[records["row"][1:]] = ~copies
        return first

    def originals(self) -> NDArray[np.int64]:
        """Return for each row the first row with the same digest, which may be itself, [rows].

        The rows are in a memory-mapped file.
        """
        originals = self._mapped("originals", np.int64)
        for records, copies in self._sorted():
            begins = np.concatenate([np.ones(len(records[:1]), np.bool_), ~copies])
            group = np.cumsum(begins) - 1
            originals[records["row"]] = records["row"][begins][group]
        return originals

    def _mapped(self, name: str, kind: type[Number]) -> NDArray[Number]:
        """Close the buckets, and return an array on disk with a value for each row."""
        self._files.close()
        if not self.rows:
            return np.ones(0, kind)
        return np.memmap(self._folder / name, kind, mode="w+", shape=(self.rows,))

    def _sorted(self) -> Iterator[tuple[NDArray[np.void], NDArray[np.bool_]]]:
        """Yield the sorted records of each part, and which equal the record before, [n - 1].

        The files are removed.
        """
        for path in self._paths:
            parts = -(-path.stat().st_size // (PART_ROWS * RECORD.itemsize))
            for part in range(parts):
                records = np.sort(_part(path, part, parts), order=["high", "low", "row"])
                yield (
                    records,
                    (records["high"][1:] == records["high"][:-1])
                    & (records["low"][1:] == records["low"][:-1]),
                )
            path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()


def _part(path: Path, part: int, parts: int) -> NDArray[np.void]:
    """Return the records of one of so many parts of a bucket, in their order."""
    found = []
    with path.open("rb") as file:
        while len(block := np.fromfile(file, RECORD, PART_ROWS)):
            found.append(block[block["high"] // BUCKETS % parts == part])
    return np.concatenate(found)


def _digests(texts: Iterator[str], size: int) -> NDArray[np.uint64]:
    blake2b = hashlib.blake2b
    joined = b"".join(blake2b(text.encode(), digest_size=size).digest() for text in texts)
    return np.frombuffer(joined, "<u8").astype(np.uint64, copy=False)
