import io
from pathlib import Path

import pytest

from s2scli.data.cleaning import Dropped, Row
from s2scli.data.example import Example
from s2scli.data.formats import read_rows
from s2scli.data.lines import TextFile
from s2scli.errors import CorpusError


def rows(*files: bytes, skip: bool = False, notices: list[str] | None = None) -> list[Row]:
    names = ("a.tsv",) if len(files) == 1 else ("a.src", "a.tgt")
    texts = [
        TextFile(Path("folder", name), io.BytesIO(data))
        for name, data in zip(names, files, strict=True)
    ]
    said = notices if notices is not None else []
    return list(read_rows(texts, 100, skip_bad_lines=skip, notice=said.append))


def test_a_tsv_file_gives_a_row_for_each_line() -> None:
    assert rows(b'a\tb\n"c\td"\n') == [Example("a", "b", 1), Example('"c', 'd"', 2)]


def test_blank_and_over_long_lines_are_dropped_rows() -> None:
    assert rows(b"a\tb\n\n \t\t \n\t\n" + b"x" * 101 + b"\nc\td\n") == [
        Example("a", "b", 1),
        Dropped(2, "empty_both"),
        Dropped(3, "empty_both"),
        Dropped(4, "empty_both"),
        Dropped(5, "over_long"),
        Example("c", "d", 6),
    ]


def test_columns_beyond_two_are_ignored_with_a_notice_where_all_rows_have_them() -> None:
    notices: list[str] = []
    assert rows(b"\na\tb\tc\nd\te\tf\n", notices=notices)[1:] == [
        Example("a", "b", 2),
        Example("d", "e", 3),
    ]
    assert notices == ["a.tsv has 3 columns; the first 2 are used"]


def test_a_header_is_kept_with_a_notice() -> None:
    notices: list[str] = []
    assert len(rows(b"source\ttarget\na\tb\n", notices=notices)) == 2
    assert "a.tsv, line 1 looks like a header" in notices[0]


@pytest.mark.parametrize(
    ("data", "line", "message", "kind"),
    [
        (b"a\tb\nc\n", 2, "no TAB", "columns"),
        (b"a\n", 1, "no TAB", "columns"),
        (b"a\tb\nc\td\te\n", 2, "3 columns, but line 1 has 2", "columns"),
        (b"a\tb\n\tc\td\n", 2, "3 columns, but line 1 has 2", "columns"),
        (b"a\tb\tc\nd\te\n", 2, "2 columns, but line 1 has 3", "columns"),
        (b"a\tb\nc\0\td\n", 2, "byte 2 is NUL", "nul_byte"),
        (b"a\tb\n\0\t\0\n", 2, "byte 1 is NUL", "nul_byte"),
        (b"a\tb\nc\td\xe4\n", 2, r"byte 4 \(0xE4\) is not UTF-8", "not_utf8"),
        (b"a\tb\nc\td\xc3", 2, r"byte 4 \(0xC3\) is not UTF-8", "not_utf8"),
    ],
)
def test_a_bad_line_is_an_error_or_dropped_where_asked_for(
    data: bytes, line: int, message: str, kind: str
) -> None:
    with pytest.raises(CorpusError, match=rf"a.tsv, line {line}: {message}.*with --skip-bad-lines"):
        rows(data)
    assert rows(data, skip=True)[line - 1] == Dropped(line, kind)


def sentences(data: bytes, *, skip: bool = False) -> list[Row]:
    file = TextFile(Path("folder", "a.txt"), io.BytesIO(data))
    return list(read_rows([file], 100, one_column=True, skip_bad_lines=skip, notice=print))


def test_a_sentence_is_its_own_source_and_target() -> None:
    assert sentences(b"a b\r\n\n \t\n" + b"x" * 101 + b"\nc") == [
        Example("a b", "a b", 1),
        Example("", "", 2),
        Example(" \t", " \t", 3),
        Dropped(4, "over_long"),
        Example("c", "c", 5),
    ]


@pytest.mark.parametrize(
    ("line", "message", "kind"),
    [
        (b"a\tb", "2 columns, expected one: a sentence alone", "columns"),
        (b"a\t", "2 columns", "columns"),
        (b"\xff", r"byte 1 \(0xFF\) is not UTF-8", "not_utf8"),
    ],
)
def test_a_bad_sentence_is_an_error_or_dropped_where_asked_for(
    line: bytes, message: str, kind: str
) -> None:
    with pytest.raises(
        CorpusError, match=rf"a.txt, line 2: {message}.*--one-column --skip-bad-lines\)"
    ):
        sentences(b"x\n" + line + b"\n")
    assert sentences(b"x\n" + line + b"\n", skip=True)[1] == Dropped(2, kind)


def test_one_column_is_offered_only_where_the_first_row_has_one() -> None:
    with pytest.raises(CorpusError, match=r"line 1: no TAB, .*; --one-column is for sentences"):
        rows(b"a\n")
    with pytest.raises(CorpusError, match=r"line 2: no TAB, expected source TAB target \("):
        rows(b"a\tb\nc\n")


def test_parallel_files_are_read_side_by_side_and_a_tab_is_text() -> None:
    assert rows(b"a\tx\n\nc\n", b"b\n\nd") == [
        Example("a\tx", "b", 1),
        Example("", "", 2),
        Example("c", "d", 3),
    ]


def test_an_over_long_line_on_one_side_keeps_the_sides_aligned() -> None:
    assert rows(b"a\n" + b"x" * 101 + b"\nc\n", b"b\ny\nd\n") == [
        Example("a", "b", 1),
        Dropped(2, "over_long"),
        Example("c", "d", 3),
    ]


@pytest.mark.parametrize(
    ("source", "target", "file"),
    [(b"a\n\xff\n", b"b\nc\n", "a.src"), (b"a\nb", b"c\n\xff", "a.tgt")],
)
def test_a_bad_line_of_parallel_files_names_its_file(
    source: bytes, target: bytes, file: str
) -> None:
    with pytest.raises(CorpusError, match=f"{file}, line 2: byte 1"):
        rows(source, target)
    assert rows(source, target, skip=True)[1] == Dropped(2, "not_utf8")


@pytest.mark.parametrize(("sources", "targets"), [(3, 2), (2, 3), (1, 9), (9, 1)])
def test_unequal_line_counts_name_both_files_and_counts(sources: int, targets: int) -> None:
    with pytest.raises(CorpusError, match=rf"a.src has {sources} lines but .*a.tgt has {targets};"):
        rows(b"a\n" * sources, b"b\n" * targets)
