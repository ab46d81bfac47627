import pytest

from s2scli.data.example import Example
from s2scli.data.rows import BadLine
from s2scli.errors import CorpusError
from tests.data.formats.readers import read


def test_files_are_read_side_by_side_and_a_tab_is_text() -> None:
    assert read("parallel", b"a\tx\n\nc\n", b"b\n\nd") == [
        Example("a\tx", "b", 1),
        Example("", "", 2),
        Example("c", "d", 3),
    ]


@pytest.mark.parametrize("long", [0, 1])
def test_an_over_long_line_names_its_file_and_keeps_the_sides_aligned(long: int) -> None:
    files = [b"a\ny\nc\n", b"b\ny\nd\n"]
    files[long] = files[long].replace(b"y", b"y" * 101)
    assert read("parallel", *files) == [
        Example("a", "b", 1),
        BadLine(f"folder/a.{long}", 2, "over_long", "longer than 100 bytes"),
        Example("c", "d", 3),
    ]


@pytest.mark.parametrize(("sources", "targets"), [(3, 2), (2, 3), (1, 9), (9, 1)])
def test_unequal_line_counts_name_both_files_and_counts(sources: int, targets: int) -> None:
    message = rf"a.0 has {sources} lines but .*a.1 has {targets}; line k of one must belong to"
    with pytest.raises(CorpusError, match=message):
        read("parallel", b"a\n" * sources, b"b\n" * targets)
