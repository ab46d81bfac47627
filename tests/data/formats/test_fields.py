"""What each format with fields does with rows and files that are not as expected."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from s2scli.data.example import Example
from s2scli.data.formats import FIELD_FORMATS, FORMATS, Fields
from s2scli.data.formats.fields import USUAL
from s2scli.data.formats.folders import expand_folders
from s2scli.data.lines import TextFile, open_text
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError
from tests.data.formats.writers import dataset

LIMIT = 100
LONG = "x" * 200


def read(name: str, *contents: bytes, fields: Fields = USUAL) -> list[ReadRow]:
    files = [TextFile(Path(f"a.{n}"), io.BytesIO(data)) for n, data in enumerate(contents)]
    kind = FIELD_FORMATS.get(name)
    return list((kind(fields) if kind else FORMATS[name]).read(files, LIMIT))


def arrow(*rows: Mapping[str, object], schema: pa.Schema | None = None) -> bytes:
    table = pa.Table.from_pylist(list(rows), schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def unit(*segments: tuple[str, str]) -> str:
    inner = "".join(f'<tuv xml:lang="{name}"><seg>{text}</seg></tuv>' for name, text in segments)
    return f"<tu>{inner}</tu>"


def tmx(*units: str, start: str = "") -> bytes:
    return f'{start}<tmx><header srclang="en"/><body>{"".join(units)}</body></tmx>'.encode()


GOOD = '{"source": "a", "target": "b"}'
EN_DE = unit(("en", "a"), ("de", "b"))


@pytest.mark.parametrize(
    ("name", "data", "reason", "fault"),
    [
        ("jsonl", '{"source": "a"}', "missing_field", "no field 'target'; found source"),
        ("jsonl", '{"source": null, "target": "b"}', "null", "the field 'source' is null"),
        ("jsonl", '{"source": 5, "target": "b"}', "not_text", "'source' is a number, expected"),
        ("jsonl", '{"source": true, "target": "b"}', "not_text", "'source' is a truth value"),
        ("jsonl", '{"source": [], "target": "b"}', "not_text", "'source' is a list"),
        ("jsonl", '{"source": {}, "target": "b"}', "not_text", "'source' is an object"),
        ("jsonl", "[1]", "json", "expected an object with fields, found [1]"),
        ("jsonl", '{"source"', "json", "not JSON"),
        ("jsonl", "[" * 5000, "over_long", "longer than 100 bytes"),
        ("jsonl", r'{"source": "\ud800", "target": ""}', "not_utf8", "character 1 is not Unicode"),
        ("jsonl", r'{"source": "\u0000", "target": ""}', "nul_byte", "character 1 is NUL"),
        ("jsonl", f'{{"source": "{LONG}", "target": ""}}', "over_long", "longer than 100 bytes"),
        ("csv", "a,b,c", "columns", "3 cells, but there are 2 fields (it begins in line 3)"),
        ("csv", '"a"b,c', "quoting", "expected after"),
        ("csv", f'"{LONG[:60]}\n{LONG[:60]}",b', "over_long", "longer than 100 bytes"),
        ("csv", "a\0,b", "nul_byte", "character 2 is NUL"),
        (
            "tmx",
            unit(("en", "a"), ("fr", "b")),
            "missing_field",
            "no segment in 'de'; found en, fr",
        ),
        ("tmx", unit(("en", "a"), ("de", LONG)), "over_long", "the segment in 'de' is too long"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(
    name: str, data: str, reason: str, fault: str
) -> None:
    contents = {
        "jsonl": f"{GOOD}\n{data}\n{GOOD}\n".encode(),
        "csv": f"source,target\na,b\n{data}\na,b\n".encode(),
        "tmx": tmx(EN_DE, data, EN_DE),
    }
    fields = Fields("en", "de") if name == "tmx" else Fields()
    first, bad, last = read(name, contents[name], fields=fields)
    assert (first, last) == (Example("a", "b", 1), Example("a", "b", 3))
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.reason) == (2, reason)
    assert fault in str(bad)


def test_bad_rows_of_columns_are_named() -> None:
    null = {"source": None, "target": "b"}
    rows = read(
        "arrow", arrow({"source": "a", "target": LONG}, null, {"source": "", "target": "b"})
    )
    assert [getattr(row, "reason", "") for row in rows] == ["over_long", "null", ""]
    assert str(rows[1]) == "a.0, row 2: the field 'source' is null, expected text"


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_a_column_must_not_have_the_name_of_another(tmp_path: Path, name: str) -> None:
    texts = pa.array(["a"])
    table = pa.table([texts] * 4, names=["source", "target", "note", "note"])
    path = tmp_path / f"a.{name}"

    def rows(table: pa.Table) -> list[ReadRow]:
        if name == "parquet":
            pq.write_table(table, path)
        else:
            feather.write_feather(table, path, compression="uncompressed")
        with open_text(path) as file:
            return list(FORMATS[name].read([file], 100))

    assert rows(table) == [Example("a", "a", 1)]
    with pytest.raises(CorpusError, match="several fields are named 'target'; rename all but one"):
        rows(table.rename_columns(["source", "target", "target", "note"]))


def test_a_column_that_is_not_utf8_is_read_row_by_row() -> None:
    bad = pa.array([b"a", b"\xff", b"b\0"], pa.binary()).view(pa.string())
    table = pa.table({"source": bad, "target": ["1", "2", "3"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    rows = read("arrow", sink.getvalue().to_pybytes())
    assert [getattr(row, "reason", "") for row in rows] == ["", "not_utf8", "nul_byte"]


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_every_type_of_text_is_read(kind: pa.DataType) -> None:
    schema = pa.schema({"source": kind, "target": pa.string()})
    data = arrow({"source": "ä", "target": "b"}, {"source": None, "target": "b"}, schema=schema)
    first, second = read("arrow", data)
    assert first == Example("ä", "b", 1)
    assert isinstance(second, BadLine)


@pytest.mark.parametrize(
    ("name", "contents", "fields", "fault"),
    [
        ("jsonl", [b'{"a": "b"}\n'], Fields(), "name the fields with --source-field and --target-"),
        ("jsonl", [b'{"a": "b"}\n'], Fields("a"), "with --target-field; found a"),
        ("jsonl", [b'[{"source": "a"}]\n'], Fields(), "an array, expected one object per line"),
        ("jsonl", [b""], Fields(), "a.0: the file is empty"),
        ("csv", [b""], Fields(), "a.0: the file is empty"),
        ("csv", [b"a,b\n"], Fields(), "a.0, line 1: name the fields with --source-field and"),
        ("csv", [b"source,target,target\na,b,c\n"], Fields(), "several fields are named 'target'"),
        ("csv", [b'"a\n'], Fields(), "line 1: unexpected end of data; expected the names"),
        ("csv", [b"a\xff,b\n"], Fields(), "not Unicode text; expected the names of the fields"),
        ("arrow", [b""], Fields(), "a.0: the file is empty"),
        ("arrow", [arrow({"a": "b"})], Fields(), "found a"),
        ("arrow", [arrow({"a": "b"})], Fields("a", "c"), "no field 'c'; found a"),
        ("arrow", [arrow({"a": 1, "b": "c"})], Fields("a", "b"), "'a' holds int64, expected text"),
        ("tmx", [b""], Fields(), "a.0: the file is empty"),
        ("tmx", [b"<html/>"], Fields(), "line 1: <html>, expected <tmx>"),
        ("tmx", [b"<tmx>"], Fields(), "not well-formed XML (no element found)"),
        ("tmx", [tmx(EN_DE)], Fields(tag="x"), "TMX has no field for a tag"),
        ("tmx", [tmx(unit(("en", "a")))], Fields(), "name the languages with --source-field"),
        ("tmx", [b"<tmx>" + b"<a>" * 200], Fields(), "nested more than 100 deep"),
        ("tmx", [b"<tmx a='" + b"x" * 300_000], Fields(), "a tag is longer than 100 bytes"),
        (
            "tmx",
            [tmx(start='<!DOCTYPE tmx [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>')],
            Fields(),
            "declares the entity 'a', which is refused",
        ),
        ("sgm", [b"x\n", b"y\n"], Fields(), "no segments"),
        ("sgm", [b"x" * 300, b"y\n"], Fields(), "a.0, line 1: longer than 100 bytes; put each seg"),
        ("sgm", [b"<seg id=1>a", b"<seg id=1>a</seg>"], Fields(), "the last segment does not end"),
        ("sgm", [b"<seg id=1>a</seg>", b"<seg id=2>a</seg>"], Fields(), "segment 1 has the id '1'"),
        (
            "sgm",
            [b"<seg>a</seg>" * 2, b"<seg>a</seg>"],
            Fields(),
            "a.1 has 1 segments, and the",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    name: str, contents: list[bytes], fields: Fields, fault: str
) -> None:
    with pytest.raises(CorpusError) as caught:
        read(name, *contents, fields=fields)
    assert fault in str(caught.value)


def test_nested_fields_and_default_names() -> None:
    rows = [{"id": 1, "translation": {"en": "a", "de": "b"}, "x.y": "c"}]
    for name, data in (("jsonl", json.dumps(rows[0]).encode()), ("arrow", arrow(*rows))):
        nested = Fields("translation.en", "translation.de")
        assert read(name, data, fields=nested) == [Example("a", "b", 1)]
        assert read(name, data, fields=Fields("x.y", "translation.en")) == [Example("c", "a", 1)]
    for source, target in (("source", "target"), ("src", "tgt"), ("input", "output")):
        data = json.dumps({target: "b", source: "a"}).encode()
        assert read("jsonl", data) == [Example("a", "b", 1)]
        assert read("jsonl", data, fields=Fields(alone=True)) == [Example("a", "", 1)]


def test_cells_of_csv_are_as_quoted() -> None:
    data = '\ufeffsource;target;lang\n"a;\n""b""";c;de\n\nd;"e";fr\n'.encode()
    rows = read("csv", data, fields=Fields(tag="lang"))
    assert rows == [
        Example('a; "b"', "c", 1, tag="de"),
        Example("", "", 2),
        Example("d", "e", 3, tag="fr"),
    ]


def test_a_quote_that_never_ends_takes_one_row_and_little_memory() -> None:
    data = b'source,target\n"a,b\n' + b"x,y\n" * 100
    assert [getattr(row, "reason", "") for row in read("csv", data)] == ["quoting"]
    closed = data + b'",c\nd,e\n'
    assert [getattr(row, "reason", "") for row in read("csv", closed)] == ["over_long", ""]


def test_markup_in_a_segment_is_left_out() -> None:
    data = tmx(unit(("de", "a<ph>1</ph>b &amp; <hi>c</hi>"), ("en-US", "d\ne")))
    assert read("tmx", data) == [Example("d e", "ab & c", 1)]
    assert read("tmx", data, fields=Fields("de")) == [Example("ab & c", "d e", 1)]
    assert read("tmx", data, fields=Fields("en")) == [Example("d e", "ab & c", 1)]


def test_an_entity_of_a_document_type_that_is_not_read_is_refused_in_a_segment() -> None:
    start = '<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'
    note = f"<note>c&nbsp;d</note>{EN_DE}"
    assert read("tmx", tmx(note, start=start)) == read("tmx", tmx(EN_DE))
    lost = tmx(unit(("en", "a&nbsp;b"), ("de", "c")), start=start)
    with pytest.raises(CorpusError, match=r"a\.0, line 2: the entity &nbsp; is not declared"):
        read("tmx", lost)


def test_segments_of_sgm_need_no_xml() -> None:
    data = b'<doc>\n<seg id="1"> a & b &lt;\nc </seg><SEG id="2">d</SEG></doc>'
    assert read("sgm", data, data) == [Example("a & b < c", "a & b < c", 1), Example("d", "d", 2)]
    address = "http://x.y/?a=1&copy=2&region=3&amp;times=4&#233;"
    (row,) = read("sgm", *(f"<seg>{address}</seg>".encode(),) * 2)
    assert row == Example(*("http://x.y/?a=1&copy=2&region=3&times=4é",) * 2, 1)
    long = b"<seg>" + b"x" * 90 + b"\n" + b"y" * 90 + b"</seg>\n<seg>z</seg>"
    assert [getattr(row, "reason", "") for row in read("sgm", long, long)] == ["over_long", ""]


def test_a_dataset_folder_is_checked(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "d", [("a", "b"), ("c", "d")])
    assert [path.name for path in expand_folders([folder])] == [
        "data-00000-of-00002.arrow",
        "data-00001-of-00002.arrow",
    ]
    for content in ("{", "[]", "{}", '{"_data_files": [{"filename": "../x.arrow"}]}'):
        (folder / "state.json").write_text(content)
        with pytest.raises(CorpusError, match=r"state.json: damaged"):
            expand_folders([folder])
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["test"]}')
    with pytest.raises(CorpusError, match=r"name the folder of one, such as .*test"):
        expand_folders([tmp_path])
