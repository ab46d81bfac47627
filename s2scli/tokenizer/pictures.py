"""Tokenizers of pictures: a picture is cut into blocks, and each block is one token.

The tokens are in the order of the blocks, row by row. If the blocks do not divide a side evenly,
the picture is padded with 0, and decoding crops it again. Every sequence of tokens decodes to a
picture: a block without a token, or with a special or unknown id, becomes 0.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from s2scli.artifacts import first_fault, read_artifact
from s2scli.errors import TokenizerError
from s2scli.settings import Settings, setting
from s2scli.sides import Picture

Pixels = NDArray[np.uint8]
Blocks = NDArray[np.uint8]

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
QUADRANTS = "·▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
MAX_BITS = 16
BLOCK_WIDTH = 4  # default, in pixels
MAX_SIDE, MAX_PATCH = 16_384, 64
MAX_PIXELS = 50_000_000
MAX_CENTRES = 65_536
MAX_CODEBOOK_BYTES = 64_000_000
SAMPLE = 50_000  # number of patches that a codebook is learned from
ROUNDS = 50  # of k-means, at most
DISTANCES = 1 << 21  # number computed at once
CENTRES = "centres"


class Bits(Settings):
    """A lossless tokenizer of black-and-white pictures; a pixel of at least 128 is white.

    The pixels of a block, in reading order, are the binary digits of its token's index.
    """

    kind: Literal["bits"] = "bits"
    height: int = setting(..., "Height of a picture.", "pixels", ge=1, le=MAX_SIDE)
    width: int = setting(..., "Width of a picture.", "pixels", ge=1, le=MAX_SIDE)
    block_height: int = setting(2, "Height of a block.", "pixels", ge=1, le=MAX_BITS)
    block_width: int = setting(BLOCK_WIDTH, "Width of a block.", "pixels", ge=1, le=MAX_BITS)

    @model_validator(mode="after")
    def _check_sizes(self) -> "Bits":
        _check_pixels(self.height, self.width)
        if self._bits > MAX_BITS:
            raise ValueError(f"a block may have at most {MAX_BITS} pixels, found {self._bits}")
        return self

    @property
    def picture(self) -> Picture:
        """The shape of the pictures."""
        return Picture(self.height, self.width, 1)

    @property
    def _bits(self) -> int:
        return self.block_height * self.block_width

    @property
    def grid(self) -> "Grid":
        """The layout of the blocks of a picture."""
        return Grid(self.height, self.width, 1, self.block_height, self.block_width)

    @property
    def vocab_size(self) -> int:
        """The number of tokens, including special ones."""
        return len(SPECIAL) + (1 << self._bits)

    @property
    def digest(self) -> str:
        """The SHA-256 digest of everything that determines the ids of a picture."""
        return _sha256(self)

    @property
    def num_tokens(self) -> int:
        """The number of tokens per picture."""
        return self.grid.num_blocks

    def encode(self, pixels: Pixels) -> list[int]:
        """Return the ids of a picture [H, W, 1].

        Raises:
            TokenizerError: the picture has another shape.
        """
        bits = self.grid.cut(pixels) >> 7  # [blocks, bits]
        ids: list[int] = (len(SPECIAL) + bits @ self._digits).tolist()
        return ids

    def decode(self, ids: Iterable[int]) -> Pixels:
        """Decode ids to a picture [H, W, 1] with the values 0 and 255."""
        indices, known = _indices(ids, self.num_tokens, 1 << self._bits)
        bits = (indices[:, None] & self._digits) > 0
        return self.grid.join(np.where(known[:, None] & bits, 255, 0).astype(np.uint8))

    def piece(self, id: int) -> str:
        """Return a token as text: quadrants for blocks of height 1 or 2 (`▙▗`), otherwise `#17`."""
        if id < len(SPECIAL) or self.block_height > 2:
            return _numbered(id)
        bits = ((id - len(SPECIAL)) & self._digits) > 0
        block = np.zeros((2, self.block_width + self.block_width % 2), int)
        block[: self.block_height, : self.block_width] = bits.reshape(self.block_height, -1)
        pairs = block.reshape(2, -1, 2).transpose(1, 0, 2).reshape(-1, 4)
        return "".join(QUADRANTS[index] for index in pairs @ (1, 2, 4, 8))

    @property
    def _digits(self) -> NDArray[np.int64]:
        """The value of each pixel as a binary digit, most significant first."""
        return 1 << np.arange(self._bits)[::-1]


class Patches(Settings):
    """The description of a `Codebook`: the size of its pictures and of their patches."""

    kind: Literal["codebook"] = "codebook"
    height: int = setting(..., "Height of a picture.", "pixels", ge=1, le=MAX_SIDE)
    width: int = setting(..., "Width of a picture.", "pixels", ge=1, le=MAX_SIDE)
    channels: Literal[1, 3] = setting(..., "1 for grey, 3 for red, green and blue.")
    patch_height: int = setting(4, "Height of a patch.", "pixels", ge=1, le=MAX_PATCH)
    patch_width: int = setting(BLOCK_WIDTH, "Width of a patch.", "pixels", ge=1, le=MAX_PATCH)

    @model_validator(mode="after")
    def _check_sizes(self) -> "Patches":
        _check_pixels(self.height, self.width)
        return self

    @property
    def grid(self) -> "Grid":
        """The layout of the blocks of a picture."""
        return Grid(self.height, self.width, self.channels, self.patch_height, self.patch_width)


@dataclass(frozen=True, eq=False)
class Codebook:
    """A tokenizer of grey or colour pictures: it replaces each patch by the nearest learned patch.

    Attributes:
        patches: the size of pictures and patches.
        centres: the learned patch of each token, uint8 [K, patch_height * patch_width * C].
    """

    patches: Patches
    centres: Blocks = field(repr=False)

    def __post_init__(self) -> None:
        """Check the centres.

        Raises:
            TokenizerError: their type, number or size is wrong.
        """
        found, size = self.centres, self.patches.grid.block_size
        if found.dtype != np.uint8 or found.ndim != 2 or found.shape[1] != size:
            raise TokenizerError(
                f"expected centres of the type uint8 and the shape [K, {size}], "
                f"found {found.dtype} {list(found.shape)}"
            )
        if not 1 <= len(found) <= MAX_CENTRES:
            raise TokenizerError(f"expected 1 to {MAX_CENTRES} centres, found {len(found)}")

    @property
    def picture(self) -> Picture:
        """The shape of the pictures."""
        return Picture(self.patches.height, self.patches.width, self.patches.channels)

    @property
    def vocab_size(self) -> int:
        """The number of tokens, including special ones."""
        return len(SPECIAL) + len(self.centres)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 digest of everything that determines the ids of a picture."""
        return _sha256(self.patches, self.centres.tobytes())

    @property
    def grid(self) -> "Grid":
        """The layout of the blocks of a picture."""
        return self.patches.grid

    @property
    def num_tokens(self) -> int:
        """The number of tokens per picture."""
        return self.grid.num_blocks

    @property
    def content(self) -> bytes:
        """The content of a safetensors file with the codebook."""
        return safetensors.numpy.save({CENTRES: np.ascontiguousarray(self.centres)})

    def encode(self, pixels: Pixels) -> list[int]:
        """Return the ids of a picture [H, W, C]; ties between centres go to the first.

        Raises:
            TokenizerError: the picture has another shape.
        """
        blocks = self.patches.grid.cut(pixels).astype(np.float64)
        nearest, _ = _nearest(blocks, self.centres.astype(np.float64))
        ids: list[int] = (len(SPECIAL) + nearest).tolist()
        return ids

    def decode(self, ids: Iterable[int]) -> Pixels:
        """Decode ids to a picture [H, W, C]."""
        indices, known = _indices(ids, self.num_tokens, len(self.centres))
        return self.patches.grid.join(self.centres[indices] * known[:, None])

    def piece(self, id: int) -> str:
        """Return a token as text, such as `#17` for the centre with index 17."""
        return _numbered(id)

    def reconstruction_error(self, pictures: Iterable[Pixels]) -> float:
        """Return the mean squared error of encoding and decoding; see `reconstruction_error`."""
        return reconstruction_error(self, pictures)


PictureTokenizer = Bits | Codebook


def reconstruction_error(tokenizer: PictureTokenizer, pictures: Iterable[Pixels]) -> float:
    """Return the mean squared error of encoding and decoding, for pixels from 0 to 1.

    Raises:
        TokenizerError: there are no pictures, or one has another shape.
    """
    total, count = 0.0, 0
    for pixels in pictures:
        decoded = tokenizer.decode(tokenizer.encode(pixels))
        total += float(((decoded / 255 - pixels / 255) ** 2).sum())
        count += pixels.size
    if not count:
        raise TokenizerError("there are no pictures to measure")
    return total / count


_DESCRIPTIONS: TypeAdapter[Bits | Patches] = TypeAdapter(
    Annotated[Bits | Patches, Field(discriminator="kind")]
)


@dataclass(frozen=True)
class Grid:
    """The layout of the blocks of a picture [height, width, channels]."""

    height: int
    width: int
    channels: int
    block_height: int
    block_width: int

    @property
    def rows(self) -> int:
        """Number of blocks from top to bottom."""
        return -(-self.height // self.block_height)

    @property
    def columns(self) -> int:
        """Number of blocks from left to right."""
        return -(-self.width // self.block_width)

    @property
    def num_blocks(self) -> int:
        """Number of blocks of a picture."""
        return self.rows * self.columns

    @property
    def block_size(self) -> int:
        """Number of values of a block."""
        return self.block_height * self.block_width * self.channels

    def cut(self, pixels: Pixels) -> Blocks:
        """Return the blocks of a picture [H, W, C] in reading order, [blocks, block_size].

        Raises:
            TokenizerError: the picture has another shape.
        """
        expected = (self.height, self.width, self.channels)
        if pixels.dtype != np.uint8 or pixels.shape != expected:
            raise TokenizerError(
                f"expected a picture of the type uint8 and the shape {list(expected)}, "
                f"found {pixels.dtype} {list(pixels.shape)}"
            )
        below, beside = -self.height % self.block_height, -self.width % self.block_width
        filled = np.pad(pixels, ((0, below), (0, beside), (0, 0)))
        cells = filled.reshape(
            self.rows, self.block_height, self.columns, self.block_width, self.channels
        )
        return cells.transpose(0, 2, 1, 3, 4).reshape(self.num_blocks, self.block_size)

    def join(self, blocks: Blocks) -> Pixels:
        """Join blocks [blocks, block_size] into a picture [H, W, C]."""
        cells = blocks.reshape(
            self.rows, self.columns, self.block_height, self.block_width, self.channels
        )
        filled = cells.transpose(0, 2, 1, 3, 4).reshape(
            self.rows * self.block_height, self.columns * self.block_width, self.channels
        )
        return np.ascontiguousarray(filled[: self.height, : self.width])


def read_picture_description(tree: object, where: str) -> Bits | Patches:
    """Validate the description of a picture tokenizer, which may be untrusted.

    Raises:
        TokenizerError: a key is missing or unknown, or a value is wrong.
    """
    try:
        return _DESCRIPTIONS.validate_python(tree, strict=True)
    except ValidationError as error:
        raise TokenizerError(f"{where}: {first_fault(error)}") from error


def load_codebook(path: Path, patches: Patches) -> Codebook:
    """Read a codebook from a file, which may be untrusted.

    Raises:
        CheckpointError: the path is not a regular file, or the file is too large.
        TokenizerError: it is damaged, or does not match its description.
    """
    content = read_artifact(path, MAX_CODEBOOK_BYTES)
    try:
        tensors = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError) as error:
        raise TokenizerError(f"{path}: not a safetensors file ({error!s:.200})") from error
    if tensors.keys() != {CENTRES}:
        raise TokenizerError(f"{path}: expected one tensor, {CENTRES!r}; this is a different file")
    try:
        return Codebook(patches, tensors[CENTRES])
    except TokenizerError as error:
        raise TokenizerError(f"{path}: {error}") from error


def learn_codebook(
    pictures: Iterable[Pixels], size: int = 512, patch: int = 4, seed: int = 0
) -> Codebook:
    """Learn a codebook by k-means (Lloyd 1982) with k-means++ (Arthur & Vassilvitskii 2007).

    Only a random sample of the patches is used. If the sample has at most `size` different
    patches, these become the codebook. Otherwise the centres are rounded to whole numbers, and
    centres that become equal are merged, so there may be fewer than `size`.

    Args:
        pictures: pixels [H, W, C], all with the same shape.
        size: the number of centres.
        patch: height and width of a patch.
        seed: the seed for the sample and the first centres.

    Raises:
        TokenizerError: there are no pictures, their shapes differ, or a size is out of range.
    """
    if not 1 <= size <= MAX_CENTRES:
        raise TokenizerError(f"a codebook of {size} centres: expected 1 to {MAX_CENTRES}")
    random = np.random.default_rng(seed)
    iterator = iter(pictures)
    first = next(iterator, None)
    if first is None:
        raise TokenizerError("there are no pictures to learn a codebook from")
    if first.ndim != 3:
        raise TokenizerError(f"expected pictures [H, W, C], found the shape {list(first.shape)}")
    tree = dict(zip(("height", "width", "channels"), first.shape, strict=True))
    patches = read_picture_description(
        {"kind": "codebook", **tree, "patch_height": patch, "patch_width": patch}, "codebook"
    )
    assert isinstance(patches, Patches)
    sample = _sample(_cut_all(patches.grid, first, iterator), random)
    values, counts = np.unique(sample, axis=0, return_counts=True)
    if len(values) > size:
        centres = _k_means(values.astype(np.float64), counts, size, random)
        values = np.unique(centres.round().astype(np.uint8), axis=0)
    return Codebook(patches, values)


def _cut_all(grid: Grid, first: Pixels, others: Iterator[Pixels]) -> Iterator[Blocks]:
    yield grid.cut(first)
    yield from map(grid.cut, others)


def _sample(blocks: Iterable[Blocks], random: np.random.Generator) -> Blocks:
    """Return a uniform random sample of at most SAMPLE blocks: those with the smallest keys."""
    kept: list[Blocks] = []
    keys: list[NDArray[np.float64]] = []
    waiting = 0
    for some in blocks:
        kept.append(some)
        keys.append(random.random(len(some)))
        waiting += len(some)
        if waiting > 2 * SAMPLE:
            kept, keys = _smallest(kept, keys)
            waiting = SAMPLE
    return _smallest(kept, keys)[0][0]


def _smallest(
    blocks: list[Blocks], keys: list[NDArray[np.float64]]
) -> tuple[list[Blocks], list[NDArray[np.float64]]]:
    joined, all_keys = np.concatenate(blocks), np.concatenate(keys)
    order = np.argsort(all_keys)[:SAMPLE]
    return [joined[order]], [all_keys[order]]


def _k_means(
    values: NDArray[np.float64], counts: NDArray[np.int64], size: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Return `size` centres of weighted values [N, P] with N > size, [size, P]."""
    centres = _first_centres(values, counts, size, random)
    before = None
    for _ in range(ROUNDS):
        nearest, distances = _nearest(values, centres)
        if before is not None and np.array_equal(nearest, before):
            break
        before = nearest
        weights = np.bincount(nearest, counts, size)
        sums = np.stack([np.bincount(nearest, counts * each, size) for each in values.T], 1)
        empty = np.flatnonzero(weights == 0)
        centres = sums / np.maximum(weights, 1)[:, None]
        farthest = np.argsort(-distances, kind="stable")
        centres[empty] = values[farthest[: len(empty)]]
    return centres


def _first_centres(
    values: NDArray[np.float64], counts: NDArray[np.int64], size: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Draw centres one by one, with a probability proportional to weight x squared distance."""
    weights = counts.astype(np.float64)
    distances = np.ones(len(values))
    centres = np.empty((size, values.shape[1]))
    for index in range(size):
        cumulative = np.cumsum(weights * distances)
        drawn = int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))
        centres[index] = values[min(drawn, len(values) - 1)]
        found = ((values - centres[index]) ** 2).sum(1)
        distances = found if index == 0 else np.minimum(distances, found)
    return centres


def _nearest(
    values: NDArray[np.float64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the index of the nearest centre and the squared distance for each value, [N].

    For integers float64 is exact, so the indices are the same on every machine.
    """
    indices = np.empty(len(values), np.int64)
    distances = np.empty(len(values))
    norms = (centres**2).sum(1)
    step = max(1, DISTANCES // len(centres))
    for start in range(0, len(values), step):
        some = values[start : start + step]
        table = norms - 2 * (some @ centres.T)  # [n, K], without the norm of the value
        best = table.argmin(1)
        indices[start : start + step] = best
        distances[start : start + step] = table[np.arange(len(some)), best] + (some**2).sum(1)
    return indices, distances


def _indices(
    ids: Iterable[int], count: int, vocabulary: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return `count` token indices, and which of them are valid; the others are 0."""
    given: Sequence[int] = [int(id) for _, id in zip(range(count), ids, strict=False)]
    indices = np.full(count, -1, np.int64)
    indices[: len(given)] = np.array(given, np.int64) - len(SPECIAL)
    known = (indices >= 0) & (indices < vocabulary)
    return np.where(known, indices, 0), known


def _check_pixels(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise ValueError(f"a picture may have at most {MAX_PIXELS} pixels, found {height * width}")


def _numbered(id: int) -> str:
    return SPECIAL[id] if id < len(SPECIAL) else f"#{id - len(SPECIAL)}"


def _sha256(description: Settings, content: bytes = b"") -> str:
    tree: dict[str, Any] = description.model_dump()
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode() + content).hexdigest()
