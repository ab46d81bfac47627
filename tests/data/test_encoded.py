from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from s2scli.data import store
from s2scli.data.codecs.text import TextCodec
from s2scli.data.encoded import EncodedSplit, encode_split, open_encoded, pad_ids
from s2scli.data.example import Example
from s2scli.data.store import BatchWriter, TextSplit, batch_rows
from s2scli.errors import CheckpointError, MissingInputError
from s2scli.manifest import new_folder
from tests.folders import letters_of

ROWS = 23
TEXTS = [("x" * (row % 4), "abc"[: row % 3 + 1] * row) for row in range(ROWS)]


def codes(texts: Sequence[str]) -> list[list[int]]:
    return [[ord(character) for character in text] for text in texts]


def shifted(texts: Sequence[str]) -> list[list[int]]:
    return [[ord(character) + 1000 for character in text] for text in texts]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An encoded corpus whose train split has five record batches, and whose valid has no row."""
    monkeypatch.setattr(store, "BATCH_ROWS", 5)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for split, texts in (("train", TEXTS), ("valid", [])):
        with BatchWriter(corpus / f"{split}.arrow") as writer:
            for batch in batch_rows(Example(*pair, line) for line, pair in enumerate(texts, 1)):
                writer.write(batch)
    with new_folder(tmp_path / "encoded", "encoded") as draft:
        for split in ("train", "valid"):
            text = TextSplit(corpus / f"{split}.arrow")
            done: list[int] = []
            path = draft.path / f"{split}.arrow"
            encode_split(text, path, codes, lambda those, _: shifted(those), done.append)
            assert sum(done) == len(text)
    yield tmp_path / "encoded"


def test_lengths_are_those_of_the_ids(folder: Path) -> None:
    split = open_encoded(folder, "train")
    assert len(split) == ROWS
    sources, targets = [len(source) for source, _ in TEXTS], [len(target) for _, target in TEXTS]
    for begin, end in ((0, ROWS), (0, 0), (3, 4), (4, 11), (5, 10), (20, ROWS), (ROWS, ROWS)):
        found = split.lengths(begin, end)
        assert [side.tolist() for side in found] == [sources[begin:end], targets[begin:end]]
        assert found[0].dtype == found[1].dtype == np.int32


@pytest.mark.parametrize("rows", [[], [0], [ROWS - 1], [22, 0, 4, 5, 5, 14], list(range(ROWS))])
def test_gather_returns_what_was_encoded(folder: Path, rows: list[int]) -> None:
    sources, targets = open_encoded(folder, "train").gather(np.array(rows, dtype=np.int64))
    assert [ids.tolist() for ids in sources] == codes([TEXTS[row][0] for row in rows])
    assert [ids.tolist() for ids in targets] == shifted([TEXTS[row][1] for row in rows])
    assert all(ids.dtype == np.int32 for ids in (*sources, *targets))


def test_gather_copies_nothing(folder: Path) -> None:
    split = open_encoded(folder, "train")
    (one, *_), _ = split.gather(np.array([3]))
    (again, *_), _ = split.gather(np.array([3]))
    assert np.shares_memory(one, again)
    assert not one.flags.writeable


def test_released_rows_are_read_again(folder: Path) -> None:
    split = open_encoded(folder, "train")
    rows = np.arange(ROWS)
    before, _ = split.gather(rows)
    split.release()
    again, _ = split.gather(rows)
    assert [ids.tolist() for ids in before] == [ids.tolist() for ids in again]
    assert [ids.tolist() for ids in again] == codes([source for source, _ in TEXTS])


@pytest.mark.parametrize("rows", [[-1], [ROWS], [0, ROWS]])
def test_rows_that_are_not_there(folder: Path, rows: list[int]) -> None:
    with pytest.raises(IndexError, match="a split of 23 rows"):
        open_encoded(folder, "train").gather(np.array(rows))


def test_a_split_without_rows(folder: Path) -> None:
    split = open_encoded(folder, "valid")
    assert len(split) == 0 == len(split.lengths(0, 0)[0])
    assert split.gather(np.empty(0, np.int64)) == ([], [])


def test_sources_are_padded_as_the_tokenizer_says(folder: Path) -> None:
    tokenizer = replace(letters_of(["ab"]).texts[0], ends=False)
    split = open_encoded(folder, "train", codec=TextCodec(tokenizer))
    padded, lengths = split.pad([np.array([4, 5]), np.array([4])])
    assert (padded.tolist(), lengths.tolist()) == ([[4, 5], [4, 0]], [2, 1])
    assert open_encoded(folder, "train").pad is pad_ids


def test_missing(folder: Path) -> None:
    with pytest.raises(MissingInputError, match="the corpus has no test split"):
        open_encoded(folder, "test")
    with pytest.raises(MissingInputError, match="run: s2s train-tokenizer"):
        open_encoded(folder / "nothing", "train")


def write_other_columns(path: Path) -> None:
    table = pa.table({"source": pa.array([1], pa.int64())})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def test_damage_is_named(folder: Path) -> None:
    path = folder / "train.arrow"
    whole = path.read_bytes()
    for broken in (b"", b"junk", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match=r"train.arrow: damaged .*s2s train-tokenizer"):
            EncodedSplit(path)
    write_other_columns(path)
    with pytest.raises(CheckpointError, match="unexpected columns"):
        EncodedSplit(path)


def test_for_a_model_that_copies_ids_have_one_bound_only(folder: Path) -> None:
    """A source may have ids behind its vocabulary, a target ids below it."""
    path, rows = folder / "train.arrow", np.arange(ROWS)
    plain = EncodedSplit(path, reads=5, target_size=1_000_000)
    copying = EncodedSplit(path, reads=5, target_size=1_000_000, copying=pad_ids)
    sources, _ = copying.gather(rows)
    assert max(int(ids.max(initial=0)) for ids in sources) >= 5
    for split in (plain, EncodedSplit(path, reads=5, target_size=5, copying=pad_ids)):
        with pytest.raises(CheckpointError, match="outside the vocabulary of 5"):
            split.gather(rows)
