import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from s2scli.data import corpus as corpus_module
from s2scli.data import store
from s2scli.data.codecs.cell import Stored
from s2scli.data.corpus import (
    SourceWatch,
    StagedCorpus,
    stage,
    write_held_out,
    write_rows,
    write_splits,
)
from s2scli.data.duplicates import source_hashes
from s2scli.data.example import Example
from s2scli.data.splitting import SplitSizes, choose_split
from s2scli.data.store import TextSplit, split_path
from s2scli.sides import Sides, Sound

EXAMPLES = [Example(f"source {n % 40}", f"target {n % 60}", n + 1) for n in range(150)]
KEPT = EXAMPLES[:120]  # the pairs repeat after 120 rows


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BATCH_ROWS", 16)


def staged(examples: list[Example], scratch: Path, files: int = 1) -> StagedCorpus:
    """Write the examples to several files, and stage them."""
    scratch.mkdir(exist_ok=True)

    def paths() -> Iterator[Path]:
        for number, part in enumerate(np.array_split(np.arange(len(examples)), files)):
            path = scratch / f"{number}.arrow"
            write_rows([examples[row] for row in part], path)
            yield path

    return stage(paths(), scratch)


@pytest.mark.parametrize("files", [1, 2, 7, 150])
def test_staging_keeps_the_first_of_equal_rows(tmp_path: Path, files: int) -> None:
    corpus = staged(EXAMPLES, tmp_path, files)
    assert (corpus.rows, corpus.kept) == (150, 120)
    lines = [line for batch in corpus.batches() for line in batch.column("line").to_pylist()]
    assert lines == [example.line for example in KEPT]
    expected = source_hashes([example.source for example in KEPT])
    assert np.concatenate(list(corpus.hashes())).tolist() == expected.tolist()


@pytest.mark.parametrize("files", [1, 7])
def test_samples_of_duplicates_are_read_from_their_own_file_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    corpus, read = staged(EXAMPLES, tmp_path, files), []
    whole = corpus_module._read

    def noted(path: Path, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        read.append(path)
        return whole(path, names)

    monkeypatch.setattr(corpus_module, "_read", noted)
    (found,) = corpus.dropped(100, 150).values()
    assert found.count == 30
    assert [one.line for one in found.samples] == [121, 122, 123]
    assert not corpus.dropped(0, 100)["duplicate"].count
    sizes = [len(part) for part in np.array_split(np.arange(150), files)]
    first = next(file for file in range(files) if sum(sizes[: file + 1]) > 120)
    last = next(file for file in range(files) if sum(sizes[: file + 1]) > 122)
    assert read == [tmp_path / f"{file}.arrow" for file in range(first, last + 1)]


@pytest.mark.parametrize("files", [1, 7])
def test_near_duplicates_are_found_across_files(tmp_path: Path, files: int) -> None:
    text = "a rather long sentence that is nearly the same as another one"
    examples = [Example(f"{text} {n % 7}{'!' * (n // 7)}", text, n + 1) for n in range(21)]
    paths = []
    for number, part in enumerate(np.array_split(np.arange(21), files)):
        paths.append(tmp_path / f"{number}.arrow")
        write_rows([examples[row] for row in part], paths[-1], near=True, before=100)
    (tmp_path / "scratch").mkdir()
    corpus = stage(paths, tmp_path / "scratch", near_duplicates=0.5)
    lines = [line for batch in corpus.batches() for line in batch.column("line").to_pylist()]
    assert lines == [101]
    (reason,) = [name for name, rows in corpus.dropped(0, 21).items() if rows.count]
    assert reason == "near_duplicate"


def test_no_rows_can_be_staged(tmp_path: Path) -> None:
    corpus = staged([], tmp_path)
    assert (corpus.rows, corpus.kept, list(corpus.hashes())) == (0, 0, [])


def test_every_row_goes_to_one_split_in_order_and_no_source_to_two(tmp_path: Path) -> None:
    corpus = staged(EXAMPLES, tmp_path / "scratch")
    split = choose_split(corpus.hashes, SplitSizes(valid=7, test=11))
    tallies = write_splits(corpus, split, tmp_path, SourceWatch(np.empty(0, np.int64)))
    parts = {name: list(TextSplit(split_path(tmp_path, name))) for name in split.names}
    assert {name: tally.rows for name, tally in tallies.items()} == {
        name: len(part) for name, part in parts.items()
    }
    assert len(parts["valid"]) >= 7
    assert len(parts["test"]) >= 11
    assert sorted(itertools.chain(*parts.values()), key=lambda row: row.line) == KEPT
    for part in parts.values():
        assert part == sorted(part, key=lambda row: row.line)
    sources = [{row.source for row in part} for part in parts.values()]
    assert sum(map(len, sources)) == len(set.union(*sources))


def test_a_split_of_no_rows_gets_no_file(tmp_path: Path) -> None:
    corpus = staged(EXAMPLES, tmp_path / "scratch")
    split = choose_split(corpus.hashes, SplitSizes(valid=0, test=0))
    write_splits(corpus, split, tmp_path, SourceWatch(np.empty(0, np.int64)))
    assert [path.name for path in tmp_path.glob("*.arrow")] == ["train.arrow"]


def test_held_out_rows_keep_duplicates(tmp_path: Path) -> None:
    examples = [Example("a", "b", 1), Example("a", "b", 2)]
    tally, hashes = write_held_out(examples, tmp_path / "test.arrow")
    assert list(TextSplit(tmp_path / "test.arrow")) == examples
    assert tally.rows == 2
    assert hashes.tolist() == source_hashes(["a", "a"]).tolist()


def test_watched_sources_are_found_among_train_rows() -> None:
    watch = SourceWatch(source_hashes(["a", "b", "b", "c"]))
    watch.see(source_hashes(["x", "b"]))
    watch.see(source_hashes([]))
    watch.see(source_hashes(["y", "c", "c"]))
    assert watch.count(source_hashes(["a", "b", "b"])) == 2
    assert watch.count(source_hashes(["c", "x"])) == 1


def test_nothing_watched_is_nothing_found() -> None:
    watch = SourceWatch(np.empty(0, np.int64))
    watch.see(source_hashes(["a"]))
    assert watch.count(source_hashes(["a"])) == 0


def test_files_of_one_name_with_other_content_are_no_duplicates(tmp_path: Path) -> None:
    sides = Sides(Sound(8000))
    contents = [[1, 2], [1, 3], [1, 2]]
    cells = [Stored("0001.wav", np.array(values, np.int16)) for values in contents]
    rows = [Example(cell, "yes", line) for line, cell in enumerate(cells, 1)]
    write_rows(rows, tmp_path / "rows.arrow", sides)
    assert stage([tmp_path / "rows.arrow"], tmp_path, sides).kept == 2
