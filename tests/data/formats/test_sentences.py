import io

import pytest

from s2scli.data.example import Example
from s2scli.data.formats.sentences import Sentences
from s2scli.data.lines import BadLineError
from s2scli.data.rows import BadLine
from s2scli.errors import CorpusError
from tests.data.formats.readers import read


def test_a_sentence_is_its_own_source_and_target() -> None:
    assert read("sentences", b"a b\r\n\n \t\n" + b"x" * 101 + b"\nc") == [
        Example("a b", "a b", 1),
        Example("", "", 2),
        Example(" \t", " \t", 3),
        BadLine("folder/a.0", 4, "over_long", "longer than 100 bytes"),
        Example("c", "c", 5),
    ]


@pytest.mark.parametrize("line", ["a\tb", "a\t", "\ta"])
def test_a_tab_beside_text_is_bad_but_not_where_only_a_source_is_wanted(line: str) -> None:
    fault = "2 columns, expected one sentence"
    assert read("sentences", line.encode()) == [BadLine("folder/a.0", 1, "columns", fault)]
    with pytest.raises(BadLineError, match=fault):
        Sentences().pair(line)
    assert Sentences().source(line) == line


def test_two_texts_are_no_sentence() -> None:
    with pytest.raises(CorpusError, match="source and target as one sentence: 'a', 'b'"):
        Sentences().write([("a", "b")], [io.BytesIO()])
