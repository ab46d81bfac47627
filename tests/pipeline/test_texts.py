from pathlib import Path

import numpy as np
import pytest

from s2scli.data.codecs.cell import Stored
from s2scli.data.settings import BY_NAME
from s2scli.data.store import Corpus
from s2scli.errors import CorpusError, UsageError
from s2scli.pipeline.texts import (
    Asked,
    Texts,
    ask,
    hint_at_repeats,
    read_files,
    read_split,
    references_of,
)
from s2scli.report.console import Talk
from s2scli.workspace import Workspace

TEXTS = Texts("rows", ("a b", "c", "a b"), ("A B", "C", "A Z"))


def test_every_pair_asks_for_its_source_or_every_source_once() -> None:
    every, once = ask(TEXTS, once=False), ask(TEXTS, once=True)
    assert [line.text for line in every.lines] == ["a b", "c", "a b"]
    assert every.indices == (0, 1, 2)
    assert [line.where for line in once.lines] == ["rows, line 1", "rows, line 2"]
    assert once.indices == (0, 1, 0)


def test_sources_that_noise_makes_equal_are_asked_for_each() -> None:
    texts = Texts("rows", ("a", "a", "a"), ("A B", "A C", "A Z"), ("a b", "a c", "a b"))
    once = ask(texts, once=True)
    assert ([line.text for line in once.lines], once.indices) == (["a", "a"], (0, 1, 0))
    assert references_of(texts, once) == [("A B", "A Z"), ("A C",)]


def test_references_are_those_of_the_lines() -> None:
    assert references_of(TEXTS, ask(TEXTS, once=False)) == [("A B",), ("C",), ("A Z",)]
    assert references_of(TEXTS, ask(TEXTS, once=True)) == [("A B", "A Z"), ("C",)]
    assert references_of(Texts("none", (), ()), Asked((), ())) == []


def test_recordings_of_one_name_are_asked_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    contents = [[1, 2], [1, 3], [1, 2]]
    cells = tuple(Stored("001.wav", np.array(samples, np.int16)) for samples in contents)
    texts = Texts("rows", cells, ("A", "B", "C"))
    asked = ask(texts, once=True)
    assert asked.indices == (0, 1, 0)
    assert [line.text is cell for line, cell in zip(asked.lines, cells, strict=False)] == [True] * 2
    assert references_of(texts, asked) == [("A", "C"), ("B",)]
    hint_at_repeats(texts, Talk())
    assert "1 of 3 pairs repeat the source" in capsys.readouterr().err


def test_files_are_aligned_or_one_has_pairs(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a\nb\n")
    (tmp_path / "out").write_text("A\nB\n")
    (tmp_path / "pairs.jsonl").write_text('{"source": "a", "target": "A"}\n')
    aligned = read_files([tmp_path / "in", tmp_path / "out"], BY_NAME)
    assert aligned == Texts("in against out", ("a", "b"), ("A", "B"))
    pairs = read_files([tmp_path / "pairs.jsonl"], BY_NAME)
    assert pairs == Texts("pairs.jsonl", ("a",), ("A",))


def test_files_without_rows_or_of_other_lengths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a\nb\n")
    (tmp_path / "out").write_text("A\n")
    (tmp_path / "empty").write_text("")
    with pytest.raises(CorpusError, match=r"in|out"):
        read_files([tmp_path / "in", tmp_path / "out"], BY_NAME)
    with pytest.raises(CorpusError, match="empty"):
        read_files([tmp_path / "empty", tmp_path / "empty"], BY_NAME)
    with pytest.raises(UsageError, match="- is given twice"):
        read_files([Path("-"), Path("-")], BY_NAME)


def test_a_split_is_read_in_order(trained_workspace: Path) -> None:
    corpus = Corpus.load(Workspace(trained_workspace).corpus)
    texts, rows = read_split(corpus, "test"), list(corpus.open_split("test"))
    assert texts.name == "test split" and len(rows) > 0
    assert list(zip(texts.sources, texts.references, strict=True)) == [
        (row.source, row.target) for row in rows
    ]
