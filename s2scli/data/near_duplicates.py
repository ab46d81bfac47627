"""Finds near duplicates among any number of rows, by MinHash, in bounded memory.

A. Broder, On the resemblance and containment of documents, 1997: the share of equal minima of two
sets under random permutations estimates their Jaccard similarity. The sets are the character
5-grams of a pair. Rows that have the same minima in one of `BANDS` bands are compared (Leskovec,
Rajaraman and Ullman, Mining of Massive Datasets, section 3.4).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from s2scli.data.cleaning.pairs import Texts
from s2scli.data.duplicates import DuplicateFinder

GRAM = 5
HASHES, BANDS = 64, 16
BAND = HASHES // BANDS
BLOCK_CHARACTERS = 100_000  # a block of 32-bit hashes stays in the cache of the processor
BLOCK_ROWS = 100_000
SEED = 20_260_000

Signatures = NDArray[np.uint16]


def signatures(sources: Sequence[str], targets: Sequence[str]) -> Signatures:
    """Return the MinHash signature of each pair, [rows, 64].

    Letter case and the kind of white space make no difference. A pair of fewer than
    5 characters is padded with spaces.
    """
    pairs = [
        " ".join(f"{source} {target}".lower().split()).ljust(GRAM)
        for source, target in zip(sources, targets, strict=True)
    ]
    found = np.empty((len(pairs), HASHES), np.uint16)
    start = 0
    for block in _blocks(pairs):
        found[start : start + len(block)] = _block_signatures(block)
        start += len(block)
    return found


def similarity(one: Signatures, other: Signatures) -> NDArray[np.float64]:
    """Return the estimated Jaccard similarity of signatures, row by row, [rows]."""
    return np.asarray((one == other).mean(axis=-1))


class NearDuplicateFinder:
    """Collects signatures batch by batch, then finds the rows that resemble earlier rows.

    Args:
        folder: an empty folder for temporary files: 128 bytes for each row, and 32 more for the
            band in work.
    """

    def __init__(self, folder: Path) -> None:
        self.rows = 0
        self._folder = folder
        folder.mkdir()
        self._file = (folder / "signatures").open("wb")

    def add(self, found: Signatures) -> None:
        """Add the signatures of the next rows, [rows, 64]."""
        self.rows += len(found)
        self._file.write(found.tobytes())

    def near_copies(self, least: float) -> NDArray[np.bool_]:
        """Return a mask that is True at rows that resemble an earlier row, [rows].

        A row is compared with the first row that has the same minima in a band. That row can be a
        near copy of a third one.

        Args:
            least: the least estimated similarity.
        """
        self._file.close()
        near = np.zeros(self.rows, np.bool_)
        if not self.rows:
            return near
        stored = np.memmap(
            self._folder / "signatures", np.uint16, mode="r", shape=(self.rows, HASHES)
        )
        for band in range(BANDS):
            part = self._folder / f"band-{band:02d}"
            part.mkdir()
            self._compare(stored, band, part, near, least)
            for path in part.iterdir():
                path.unlink()
        return near

    def _compare(
        self, stored: Signatures, band: int, part: Path, near: NDArray[np.bool_], least: float
    ) -> None:
        """Mark the rows that resemble the first row with the same minima in a band."""
        with DuplicateFinder(part) as finder:
            for start in range(0, self.rows, BLOCK_ROWS):
                minima = stored[start : start + BLOCK_ROWS, band * BAND : (band + 1) * BAND]
                keys = np.ascontiguousarray(minima).view("<u8").ravel()
                mixed = _mixed(keys.astype(np.uint64))
                finder.add(np.stack([mixed, np.zeros_like(mixed)], axis=1))
            originals = finder.originals()
        for start in range(0, self.rows, BLOCK_ROWS):
            rows = np.arange(start, min(start + BLOCK_ROWS, self.rows))
            first = np.asarray(originals[rows])
            rows, first = rows[first < rows], first[first < rows]
            near[rows] |= similarity(stored[rows], stored[first]) >= least

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts in blocks of bounded size."""
    block: list[str] = []
    characters = 0
    for text in texts:
        block.append(text)
        characters += len(text)
        if characters >= BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block


def _block_signatures(texts: Sequence[str]) -> Signatures:
    side = Texts(texts)
    grams = _gram_hashes(side)
    # the gram at index i is inside its text if the text goes on for 5 characters from there
    rows = np.repeat(np.arange(len(texts)), side.lengths + 1)
    ends = (side.starts + side.lengths)[rows]
    inside = np.arange(len(grams)) + GRAM <= ends
    grams, rows = grams[inside], rows[inside]
    starts = np.searchsorted(rows, np.arange(len(texts)))
    found = np.empty((len(texts), HASHES), np.uint16)
    for number, (factor, shift) in enumerate(zip(*_permutations(), strict=True)):
        hashed = grams * factor + shift  # multiply-add modulo 2^32 of a hash that is mixed
        found[:, number] = np.minimum.reduceat(hashed, starts) & np.uint32(0xFFFF)
    return found


def _gram_hashes(side: Texts) -> NDArray[np.uint32]:
    """Return a hash of the 5 characters from each index, [characters]."""
    codes = np.concatenate([side.codes, np.zeros(GRAM, np.uint32)]).astype(np.uint64)
    count = len(side.codes)
    hashed = np.zeros(count, np.uint64)
    for offset in range(GRAM):
        hashed = hashed * np.uint64(0x100000001B3) + codes[offset : offset + count]
    return (_mixed(hashed) >> np.uint64(32)).astype(np.uint32)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return values whose bits depend on all bits of the ones given (the mixer of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _permutations() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return an odd factor and a summand for each hash, [64] each."""
    random = np.random.default_rng(SEED)
    factors, summands = random.integers(0, 2**32, size=(2, HASHES), dtype=np.uint32)
    return factors | np.uint32(1), summands
