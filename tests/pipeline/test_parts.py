from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from s2scli.data.settings import PrepareSettings
from s2scli.errors import CorpusError, UsageError
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.parts import (
    Part,
    accounts_of,
    examples_of,
    notices_of,
    opened_parts,
    tags_of,
    with_sides,
)
from s2scli.report.console import Talk


@contextmanager
def parts_read(inputs: Inputs, **settings: object) -> Iterator[tuple[list[Part], list[str]]]:
    """Yield the parts after they were read, and their sources with their lines."""
    chosen = PrepareSettings.model_validate(settings)
    with opened_parts(inputs, chosen, Talk(quiet=True)) as (chosen, parts):
        found, sides = with_sides(parts, chosen)
        rows = [f"{row.line} {row.source}" for row in examples_of(found, chosen, sides)]
        yield list(found), rows


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    for name, text in (("a.tsv", "a\tA\n\tB\n"), ("b.tsv", "c\tC\n")):
        (tmp_path / name).write_text(text)
    return tmp_path / "a.tsv", tmp_path / "b.tsv"


def test_lines_go_on_from_part_to_part_and_every_row_is_counted(files: tuple[Path, Path]) -> None:
    with parts_read(Inputs(files)) as (parts, rows):
        assert rows == ["1 a", "3 c"]
        first, second = accounts_of("corpus", parts)
        assert (first.read, first.kept, first.dropped) == (2, 1, {"empty_source": 1})
        assert (second.read, second.kept, second.names) == (1, 1, ("b.tsv",))
        assert notices_of(parts) == () and tags_of(parts) == {}


def test_each_part_has_its_tag(files: tuple[Path, Path]) -> None:
    with parts_read(Inputs(files, tags=("de", "fr"))) as (parts, rows):
        assert rows == ["1 <2de> a", "3 <2fr> c"]
        assert tags_of(parts) == {"tags": ["de", "fr"]}
    with (
        pytest.raises(UsageError, match="3 times --tag: expected one for all, or one for each"),
        parts_read(Inputs(files, tags=("de", "fr", "es"))),
    ):
        pass


def test_a_corpus_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("\tA\nb\t\n")
    with (
        parts_read(Inputs((tmp_path / "a.tsv",))) as (parts, rows),
        pytest.raises(CorpusError, match=r"no usable rows: 2 read, all dropped \(1 empty_source"),
    ):
        assert rows == []
        accounts_of("corpus", parts)
