"""Files of other programs are named."""

import gzip
import io
from pathlib import Path

import pytest

from s2scli.data.formats.foreign import refuse_foreign
from s2scli.data.lines import TextFile
from s2scli.errors import CorpusError


def refused(name: str, data: bytes, *, by_content: bool = True) -> str:
    """Return what is said of a file; "" if it may be a corpus."""
    try:
        refuse_foreign(TextFile(Path(name), io.BytesIO(data)), by_content=by_content)
    except CorpusError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.xlsx", b"PK\x03\x04\x00", "an Excel workbook"),
        ("a.xls", b"\xd0\xcf\x11\xe0\x00", "an Excel workbook"),
        ("a.tsv", b"PK\x03\x04\x00", "a zip archive"),
        ("a.tsv", b'{"en": "a"}\n', "JSON"),
        ("a.tsv.gz", b'"a, b";c\n' * 4, "CSV"),
        ("-", b"a;b\nc;d\ne;f\n'", "CSV"),
    ],
)
def test_a_file_of_another_program_is_named(name: str, data: bytes, what: str) -> None:
    said = refused(name, gzip.compress(data) if name.endswith(".gz") else data)
    assert f": looks like {what}, expected source TAB target; " in said


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"a, b\tc, d\n"),
        ("a.csv", b"one column\n"),
        ("a.tsv", b'{"a": 1}\t{"b": 2}\n'),
        ("a.tsv", b"A, b.\nC d.\nE, f, g.\nH\n"),
        ("a.tsv", b"{curly}\n"),
        ("a.tsv", b""),
    ],
)
def test_what_may_be_a_corpus_is_let_through(name: str, data: bytes) -> None:
    assert refused(name, data) == ""


@pytest.mark.parametrize(
    ("name", "data", "foreign"),
    [("a.de", b'{"a": 1}\n', False), ("a.de", b"a,b\n" * 9, False), ("a.xls", b"PK\3\4", True)],
)
def test_a_side_of_a_corpus_may_look_like_json_or_csv(
    name: str, data: bytes, foreign: bool
) -> None:
    assert bool(refused(name, data, by_content=False)) is foreign
