"""Files of other programs are named, and what is said converts them."""

import gzip
import io
import json
import subprocess
from pathlib import Path

import pytest

from s2scli.data.formats.foreign import refuse_foreign
from s2scli.data.lines import TextFile
from s2scli.errors import CorpusError

JSON_LINES = [
    {"id": 1, "translation": {"en": 'one, "two"\n', "it's": "eins\tzwei"}},
    {"id": 2, "translation": {"en": "ü", "it's": "drei"}},
]
AS_TSV = 'one, "two"\teins zwei\nü\tdrei\n'
CSV = '"one, ""two""\n",eins\tzwei\nü,drei\n'


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
        ("a.json", b'[{"en": "a"}]', "JSON"),
        ("a.csv", b'"a, b",c\n', "CSV"),
        ("a.csv.gz", b'"a, b";c\n', "CSV"),
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
    [("a.de", b'{"a": 1}\n', False), ("a.de", b"a,b\n" * 9, False), ("a.csv", b"a,b\n", True)],
)
def test_a_side_of_a_corpus_is_known_by_its_name_alone(
    name: str, data: bytes, foreign: bool
) -> None:
    assert bool(refused(name, data, by_content=False)) is foreign


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", "".join(json.dumps(row) + "\n" for row in JSON_LINES)),
        ("a.json", json.dumps(JSON_LINES)),
        ("the a.csv", CSV),
        ("a.csv.gz", CSV.replace(",eins", ";eins").replace(",drei", ";drei")),
    ],
)
def test_the_command_converts_the_file(tmp_path: Path, name: str, text: str) -> None:
    if name == "a.json":  # the keys of an array are not known
        text = text.replace('"translation": {', "").replace("}}", "}")
        text = text.replace('"en"', '"SOURCE"').replace('"it\'s"', '"TARGET"')
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    said = refused(str(path), path.read_bytes())
    command = said.partition("convert it: ")[2]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "NEW.tsv").read_text(encoding="utf-8") == AS_TSV
