"""Prepared workspaces with millions of made-up pairs, written without the text they stand for."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from s2scli.data import encoded, store
from s2scli.data.store import Corpus, split_path
from s2scli.manifest import new_folder
from s2scli.pipeline.train_tokenizer import train_tokenizer
from s2scli.report.console import Talk
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.workspace import Workspace
from tests.toy import prepare_toy

BATCH_ROWS = 10_000
VALID_ROWS = 100


def write_store(root: Path, rows: int) -> Workspace:
    """Write a workspace whose training split has this many pairs, with a corpus and its encoding.

    The lengths are those of sentences: 15 tokens on average (lognormal), and the target's close to
    the source's. Every text of the corpus is "a", as training does not read it.
    """
    workspace = prepare_toy(root)
    train_tokenizer(workspace, TokenizerSettings(), Talk(quiet=True))
    tokenizers = Tokenizers.load(workspace.tokenizer)
    with new_folder(workspace.corpus, "corpus") as draft:
        draft.facts = Corpus.load(workspace.corpus).manifest.facts
        _write_split(draft.path, rows, store.TEXT_SCHEMA, _text)
    corpus = Corpus.load(workspace.corpus).digest
    with new_folder(workspace.tokenizer, "tokenizer", made_from={"corpus": corpus}) as draft:
        tokenizers.write(draft.path)
    made_from = {"corpus": corpus, "tokenizer": Tokenizers.load(workspace.tokenizer).digest}
    random = np.random.default_rng(1)
    with new_folder(workspace.encoded, "encoded", made_from=made_from) as draft:
        size = tokenizers.target.vocab_size
        _write_split(draft.path, rows, encoded.SCHEMA, lambda count: _ids(count, size, random))
    return workspace


def _write_split(
    folder: Path, rows: int, schema: pa.Schema, make: Callable[[int], list[pa.Array]]
) -> None:
    """Write the splits train, of so many rows, and valid, in record batches."""
    for split, count in (("train", rows), ("valid", VALID_ROWS)):
        with pa.ipc.new_file(str(split_path(folder, split)), schema) as writer:
            for size in _sizes(count):
                writer.write_batch(pa.RecordBatch.from_arrays(make(size), schema=schema))


def _sizes(rows: int) -> Iterator[int]:
    for begin in range(0, rows, BATCH_ROWS):
        yield min(BATCH_ROWS, rows - begin)


def _text(rows: int) -> list[pa.Array]:
    cells = pa.array(["a"] * rows, pa.string())
    return [cells, cells, pa.array(np.arange(1, rows + 1))]


def _ids(rows: int, vocab_size: int, random: np.random.Generator) -> list[pa.Array]:
    source = random.lognormal(2.6, 0.5, rows)
    target = source * random.normal(1.1, 0.15, rows)
    return [_column(lengths, vocab_size, random) for lengths in (source, target)]


def _column(lengths: NDArray[np.float64], vocab_size: int, random: np.random.Generator) -> pa.Array:
    ends = np.cumsum([0, *lengths.clip(1, 200).astype(np.int32)], dtype=np.int32)
    ids = random.integers(EOS_ID + 1, vocab_size, int(ends[-1]), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(ids), type=encoded.TOKEN_IDS)
