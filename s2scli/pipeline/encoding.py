"""Encodes a corpus shard by shard: in this process, in others, or on other machines."""

import functools
import hashlib
import multiprocessing
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import s2scli
from s2scli.data.codecs import target_codec
from s2scli.data.encoded import Encode, EncodeTarget, encode_split
from s2scli.data.store import Corpus, TextSplit, split_path
from s2scli.errors import CheckpointError
from s2scli.files import FILES, TEMPORARY, removed_on_failure, storage_errors
from s2scli.manifest import encode_json
from s2scli.sides import Picture, Sides, Sound
from s2scli.tokenizer.sentencepiece import ALL, SentencePiece
from s2scli.tokenizer.tokenizers import Source, Target, Tokenizers

BATCHES = 8  # record batches of a shard, of at most 10,000 rows each


@dataclass(frozen=True)
class EncodingShard:
    """Some consecutive record batches of a split of a corpus, to encode.

    Attributes:
        corpus: the folder of the corpus, absolute.
        sides: the kind of each side.
        split: the name of the split.
        tokenizer: the folder of the tokenizers, absolute.
        digests: those of the corpus and of the tokenizers.
        first: the index of the first record batch.
        rows: the number of rows.
        folder: the folder to write to.
    """

    corpus: Path
    sides: Sides
    split: str
    tokenizer: Path
    digests: tuple[str, str]
    first: int
    rows: int
    folder: Path

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that the token ids depend on."""
        named = [*self.digests, self.split, self.first, self.rows, s2scli.__version__]
        return hashlib.sha256(encode_json([named, asdict(self.sides)])).hexdigest()

    @property
    def path(self) -> Path:
        """The file of its token ids."""
        return self.folder / f"{self.digest}.arrow"


def divide_split(
    corpus: Corpus, split: str, tokenizer: Path, digest: str, folder: Path
) -> Iterator[EncodingShard]:
    """Yield the shards of a split, in order.

    Args:
        corpus: the corpus.
        split: the name of the split.
        tokenizer: the folder of the tokenizers.
        digest: that of the tokenizers.
        folder: the folder to write shards to.
    """
    rows = corpus.open_split(split).batch_rows
    for first in range(0, len(rows), BATCHES):
        yield EncodingShard(
            corpus.folder.absolute(),
            corpus.sides,
            split,
            tokenizer.absolute(),
            (corpus.digest, digest),
            first,
            sum(rows[first : first + BATCHES]),
            folder.absolute(),
        )


def encode_shard(shard: EncodingShard) -> EncodingShard:
    """Write the token ids of a shard to its file, unless it is there; return the shard.

    Raises:
        CheckpointError: the corpus or the tokenizers are damaged, or are others than before.
        StorageError: the disk is full or a write failed.
    """
    if shard.path.exists():
        return shard
    source, target = plain_encoders(_tokenizers(shard.tokenizer, shard.digests[1]))
    text = TextSplit(split_path(shard.corpus, shard.split), shard.sides)
    temporary = shard.path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    with storage_errors(shard.path), removed_on_failure(temporary):
        end = shard.first + BATCHES
        encode_split(text, temporary, source, target, first=shard.first, end=end)
        FILES.sync(temporary)
        FILES.rename(temporary, shard.path)
    return shard


@functools.lru_cache(maxsize=1)
def _tokenizers(folder: Path, digest: str) -> Tokenizers:
    """Return the tokenizers of a folder, which are loaded once in each process.

    Raises:
        CheckpointError: they are others than before.
    """
    tokenizers = Tokenizers.load(folder)
    if tokenizers.digest != digest:
        raise CheckpointError(f"{folder}: has changed since the command began; try again")
    return tokenizers


def plain_encoders(tokenizers: Tokenizers) -> tuple[Encode | None, EncodeTarget]:
    """Return what turns the cells of each side into token ids."""
    source, target = encoder_of(tokenizers.source), encoder_of(tokenizers.target)
    assert target, "every target has tokens"
    return source, lambda targets, sources: target(targets)


def encoder_of(side: Source | Target) -> Encode | None:
    """Return what turns the cells of a side into token ids; None for a side without tokens.

    A process that another one has started computes with one thread, as it is one of several.
    """
    if isinstance(side, SentencePiece):
        threads = 1 if multiprocessing.parent_process() else ALL
        return functools.partial(side.encode_many, threads=threads)
    if isinstance(side, Sound | Picture):
        return None
    codec = target_codec(side)
    return lambda cells: [codec.encode(cell).tolist() for cell in cells]
