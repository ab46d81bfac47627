"""Every format with fields: what its own library writes is read, and bytes give rows or a fault."""

import io
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from s2scli.data.example import Example
from s2scli.data.formats import ENDINGS, FIELD_FORMATS, FORMATS
from s2scli.data.formats.folders import expand_folders
from s2scli.data.lines import TextFile, open_text
from s2scli.data.rows import BadLine, ReadRow
from s2scli.data.settings import FormatName
from s2scli.errors import CorpusError
from tests.data.formats.writers import EVERY, WRITERS, write

LIMIT = 1000
CELL = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\ufeff")
    | st.sampled_from("\"'&<>,;\\|{} "),
    max_size=20,
).map(str.strip)
PAIRS = st.lists(st.tuples(CELL, CELL), min_size=2, max_size=4)
SOME = settings(max_examples=8, deadline=None)
SAMPLE = [("a", "ä"), ('b "c", d', "e\tf"), ("g & <h>", "i")]


def read_files(paths: Sequence[Path]) -> list[ReadRow]:
    opened = []
    files = expand_folders(paths)
    name = ENDINGS[files[0].suffix]
    try:
        for path in files:
            context = open_text(path)
            opened.append((context, context.__enter__()))
        return list(FORMATS[name].read([file for _, file in opened], LIMIT))
    finally:
        for context, _ in opened:
            context.__exit__(None, None, None)


def test_the_names_of_formats_are_those_of_the_setting() -> None:
    assert set(FORMATS) == set(get_args(FormatName))
    assert set(ENDINGS.values()) == {*FIELD_FORMATS, "sgm"}


@pytest.mark.parametrize("name", EVERY)
@SOME
@given(PAIRS)
@example(SAMPLE)
def test_what_the_owner_of_a_format_writes_is_read(name: str, pairs: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = read_files(write(Path(folder), name, pairs))
    assert found == [Example(*pair, number) for number, pair in enumerate(pairs, 1)]


@cache
def valid(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (path,) = write(Path(folder), name, SAMPLE)
        return path.read_bytes()


def check_rows(name: str, data: bytes) -> None:
    """Check that bytes give rows, each once and in order, or one fault."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            rows = read_files([path])
        except CorpusError as error:
            assert str(error).count(name) >= 1
            assert "\n" not in str(error)
            return
    numbers = [row.line for row in rows if isinstance(row, Example | BadLine)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=15, deadline=None)
@given(data=st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
def test_any_bytes_give_rows_or_one_fault(name: str, data: bytes) -> None:
    check_rows(name, data)


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_damaged_file_gives_rows_or_one_fault(name: str, data: st.DataObject) -> None:
    content = bytearray(valid(name))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    check_rows(name, bytes(content[:end]))


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "stream.arrow", "a.feather", "a.tmx"])
def test_a_file_that_was_cut_off_is_named(name: str) -> None:
    content = valid(name)
    for end in {0, 3, len(content) // 2, len(content) - 3}:
        with pytest.raises(CorpusError, match=r"damaged|not well-formed|the file is empty"):
            _read_bytes(name, content[:end])


def _read_bytes(name: str, data: bytes) -> list[ReadRow]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return read_files([path])


@given(st.lists(st.binary(max_size=20), max_size=6))
@settings(max_examples=15, deadline=None)
def test_any_bytes_in_sgm_give_rows_or_one_fault(parts: list[bytes]) -> None:
    data = b'<seg id="1">'.join(parts) + b"</seg>"
    files = [TextFile(Path("a"), io.BytesIO(data)), TextFile(Path("b"), io.BytesIO(data))]
    try:
        rows = list(FORMATS["sgm"].read(files, LIMIT))
    except CorpusError as error:
        assert "\n" not in str(error)
        return
    numbers = [row.line for row in rows if isinstance(row, Example | BadLine)]
    assert numbers == list(range(1, len(rows) + 1))
