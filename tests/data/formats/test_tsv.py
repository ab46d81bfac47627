import io
from pathlib import Path

import pytest

from s2scli.data.example import Example
from s2scli.data.formats.tsv import Tsv
from s2scli.data.lines import BadLineError, TextFile
from s2scli.data.rows import BadLine, Notice
from tests.data.formats.readers import read


def test_a_file_gives_a_row_for_each_line_and_quotes_are_text() -> None:
    assert read("tsv", b'a\tb\n"c\td"\n') == [Example("a", "b", 1), Example('"c', 'd"', 2)]


def test_blank_lines_are_empty_pairs_wherever_they_stand() -> None:
    assert read("tsv", b"\t\t\t\na\tb\n\n \t\t \n\t\n\tc\n") == [
        Example("", "", 1),
        Example("a", "b", 2),
        Example("", "", 3),
        Example("", "", 4),
        Example("", "", 5),
        Example("", "c", 6),
    ]


def test_an_over_long_line_is_bad() -> None:
    assert read("tsv", b"a\tb\n" + b"x" * 101 + b"\nc\td\n") == [
        Example("a", "b", 1),
        BadLine("folder/a.0", 2, "over_long", "longer than 100 bytes"),
        Example("c", "d", 3),
    ]


def test_columns_beyond_two_are_ignored_with_a_notice_where_all_rows_have_them() -> None:
    assert read("tsv", b"\na\tb\tc\nd\te\tf\n") == [
        Example("", "", 1),
        Notice(
            "a.0 has 3 columns, of which the first two are used; "
            "to choose others, use for example --columns 2,3"
        ),
        Example("a", "b", 2),
        Example("d", "e", 3),
    ]


def test_columns_are_chosen_in_any_order_without_a_notice() -> None:
    file = TextFile(Path("a"), io.BytesIO(b"1\ta\tb\n\n2\t\tc\n"))
    rows = [Example("b", "a", 1), Example("", "", 2), Example("c", "", 3)]
    assert list(Tsv((3, 2)).read([file], 100)) == rows


def test_a_column_that_is_not_there_is_a_fault_of_every_row() -> None:
    file = TextFile(Path("a"), io.BytesIO(b"a\tb\nc\td\n"))
    fault = "2 columns, but --columns asks for column 3"
    rows = [BadLine("a", number, "columns", fault) for number in (1, 2)]
    assert list(Tsv((1, 3)).read([file], 100)) == rows


@pytest.mark.parametrize(
    ("data", "line", "fault", "reason"),
    [
        (b"a\tb\nc\n", 2, "no TAB, expected source TAB target", "columns"),
        (b"a\tb\nc\td\te\n", 2, "3 columns, but line 1 has 2", "columns"),
        (b"a\tb\n\tc\td\n", 2, "3 columns, but line 1 has 2", "columns"),
        (b"\na\tb\tc\nd\te\n", 3, "2 columns, but line 2 has 3", "columns"),
    ],
)
def test_a_row_with_other_columns_than_the_first_is_bad(
    data: bytes, line: int, fault: str, reason: str
) -> None:
    assert read("tsv", data)[-1] == BadLine("folder/a.0", line, reason, fault)


def test_one_column_is_offered_only_where_the_first_row_has_one() -> None:
    (first,) = read("tsv", b"a\n")
    assert "source and target: --one-column" in str(first)
    assert "--one-column" not in str(read("tsv", b"a\tb\nc\n")[1])


@pytest.mark.parametrize(
    ("line", "pair"),
    [("a\tb", ("a", "b")), ("a\t", ("a", "")), ("\tb", ("", "b")), (" \t\t", (" \t\t",) * 2)],
)
def test_a_line_alone_is_a_pair(line: str, pair: tuple[str, str]) -> None:
    assert Tsv().pair(line) == pair


@pytest.mark.parametrize(
    ("line", "fault"),
    [("a", "no TAB, .* paste SOURCES TARGETS"), ("a\tb\tc", "3 columns, .* cut -f 1,2")],
)
def test_a_line_alone_has_two_columns(line: str, fault: str) -> None:
    with pytest.raises(BadLineError, match=fault):
        Tsv().pair(line)


@pytest.mark.parametrize(("line", "source"), [("a\tb\tc", "a"), ("a", "a"), ("\tb", ""), ("", "")])
def test_the_source_of_a_line_is_its_first_column(line: str, source: str) -> None:
    assert Tsv().source(line) == source


@pytest.mark.parametrize(("tag", "text"), [(1, b"de\ta\tb\n"), (2, b"a\tde\tb\n")])
def test_the_first_two_columns_beside_the_tag_are_the_sides(tag: int, text: bytes) -> None:
    files = [TextFile(Path("a.tsv"), io.BytesIO(text))]
    assert list(Tsv(None, tag).read(files, 100)) == [Example("a", "b", 1, tag="de")]
    more = [TextFile(Path("a.tsv"), io.BytesIO(text.replace(b"\n", b"\tx\n")))]
    notice, row = Tsv(None, tag).read(more, 100)
    assert isinstance(notice, Notice) and row == Example("a", "b", 1, tag="de")
    assert "4 columns, of which " + ("2 and 3" if tag == 1 else "1 and 3") in notice.text
