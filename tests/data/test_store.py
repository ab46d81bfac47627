import time
from pathlib import Path

import pytest

from s2scli.data import store
from s2scli.data.example import Example
from s2scli.data.store import BatchWriter, Corpus, TextSplit, batch_rows, split_path
from s2scli.errors import CheckpointError, MissingInputError
from s2scli.manifest import new_folder, read_manifest

EXAMPLES = [Example(f"source {n} ü", f"target\u2028{n}", n + 3) for n in range(25)]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BATCH_ROWS", 10)


def write(path: Path, examples: list[Example]) -> TextSplit:
    with BatchWriter(path) as writer:
        for batch in batch_rows(examples):
            writer.write(batch)
        assert writer.rows == len(examples)
    return TextSplit(path)


@pytest.mark.usefixtures("small_batches")
def test_what_is_written_is_read(tmp_path: Path) -> None:
    split = write(tmp_path / "train.arrow", EXAMPLES)
    assert len(split) == 25
    assert [split[number] for number in range(25)] == EXAMPLES
    assert list(split) == EXAMPLES
    assert list(split.sources()) == [example.source for example in EXAMPLES]
    assert list(split.targets()) == [example.target for example in EXAMPLES]
    assert [batch.num_rows for batch in split.batches()] == [10, 10, 5]


@pytest.mark.parametrize("index", [-1, 25])
def test_a_row_outside_is_refused(tmp_path: Path, index: int) -> None:
    with pytest.raises(IndexError, match="split of 25 rows"):
        write(tmp_path / "train.arrow", EXAMPLES)[index]


@pytest.mark.usefixtures("small_batches")
def test_small_batches_are_joined(tmp_path: Path) -> None:
    with BatchWriter(tmp_path / "a.arrow") as writer:
        for example in EXAMPLES:
            writer.write(next(batch_rows([example])))
    assert [batch.num_rows for batch in TextSplit(tmp_path / "a.arrow").batches()] == [10, 10, 5]


def test_joining_takes_linear_time(tmp_path: Path) -> None:
    (batch,) = batch_rows([Example("a", "b", 1)])
    start = time.process_time()
    with BatchWriter(tmp_path / "a.arrow") as writer:
        for _ in range(3000):
            writer.write(batch)
            writer.write(batch.slice(0, 0))
    assert time.process_time() - start < 2
    assert len(TextSplit(tmp_path / "a.arrow")) == 3000


def test_batches_of_long_texts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BATCH_CHARACTERS", 100)
    batches = list(batch_rows([Example("x" * 40, "y" * 20, n) for n in range(5)]))
    assert [batch.num_rows for batch in batches] == [2, 2, 1]


def test_a_split_may_have_no_rows(tmp_path: Path) -> None:
    split = write(tmp_path / "a.arrow", [])
    assert len(split) == 0
    assert list(split) == []


def test_missing_things_name_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no corpus here; make one: s2s prepare"):
        Corpus.load(tmp_path / "corpus").open_split("train")
    with new_folder(tmp_path / "corpus", "corpus") as draft:
        write(split_path(draft.path, "train"), EXAMPLES)
    assert len(Corpus.load(tmp_path / "corpus").open_split("train")) == 25
    with pytest.raises(MissingInputError, match=r"no test split; .* --test-size N or --test FILE"):
        Corpus.load(tmp_path / "corpus").open_split("test")


@pytest.mark.parametrize("damage", ["cut", "other", "gone"])
def test_a_damaged_split_is_an_error(tmp_path: Path, damage: str) -> None:
    with new_folder(tmp_path / "corpus", "corpus") as draft:
        write(split_path(draft.path, "train"), EXAMPLES)
    path = split_path(tmp_path / "corpus", "train")
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"x" * len(data))
    with pytest.raises(CheckpointError, match=r"train.arrow: (damaged|missing) .*s2s prepare"):
        Corpus.load(tmp_path / "corpus").open_split("train")


def test_a_corpus_knows_its_splits_in_order_and_its_digest(tmp_path: Path) -> None:
    with new_folder(tmp_path / "corpus", "corpus") as draft:
        for split in ("valid", "train"):
            write(split_path(draft.path, split), EXAMPLES)
    corpus = Corpus.load(tmp_path / "corpus")
    assert corpus.splits == ("train", "valid")
    assert corpus.digest == read_manifest(tmp_path / "corpus", "corpus").digest


def test_a_corpus_is_verified_once_and_its_damage_has_a_mend(tmp_path: Path) -> None:
    with new_folder(tmp_path / "corpus", "corpus") as draft:
        write(split_path(draft.path, "train"), EXAMPLES)
    corpus = Corpus.load(tmp_path / "corpus")
    assert corpus.verified is corpus
    split_path(corpus.folder, "train").write_bytes(b"damaged")
    assert corpus.verified is corpus  # from memory
    with pytest.raises(
        CheckpointError, match=r"damaged, expected 1754 bytes, found 7.*`s2s prepare`"
    ):
        _ = Corpus.load(tmp_path / "corpus").verified


def test_a_damaged_manifest_has_a_mend(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"damaged JSON.*make it again with `s2s prepare`"):
        Corpus.load(tmp_path)
