import io
from pathlib import Path

import pytest

from s2scli.data.formats.format import encode_line, over_long
from s2scli.data.lines import TextFile
from s2scli.errors import CorpusError


def test_a_line_ends_in_a_line_feed_and_nothing_in_it_does() -> None:
    assert encode_line(["a", "ü\u2028"], forbidden="\t") == "a\tü\u2028\n".encode()


@pytest.mark.parametrize("cell", ["\n", "a\rb", "\0", "a\tb"])
def test_forbidden_characters_are_refused(cell: str) -> None:
    with pytest.raises(CorpusError, match=r"cannot write '.*' in a cell"):
        encode_line(["a", cell], forbidden="\t")
    if "\t" in cell:
        assert encode_line([cell], forbidden="") == b"a\tb\n"


def test_an_over_long_line_names_its_file_line_and_limit() -> None:
    bad = over_long(TextFile(Path("folder/a"), io.BytesIO(b"x")), 7, 1_000_000)
    assert str(bad) == "folder/a, line 7: longer than 1,000,000 bytes"
