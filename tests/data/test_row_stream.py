"""The rows of files with fields, as lines of a stream and as pairs."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from s2scli.data.example import Example
from s2scli.data.row_stream import names_pairs, open_pairs, open_rows
from s2scli.data.settings import BY_NAME, InputSettings
from s2scli.data.stream import Line, StreamSettings, read_windows
from s2scli.errors import CorpusError, UsageError

ROWS = [{"source": f"s{n}", "target": f"t{n}"} for n in range(5)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS) + "[]\n")
    return path


def test_rows_come_in_windows_with_their_faults(file: Path) -> None:
    settings = StreamSettings(window=4)
    first, last = read_windows(file, settings, open_rows(file, settings))
    assert first == [Line(str(file), n + 1, f"s{n}", folder=file.parent) for n in range(4)]
    assert last[0] == Line(str(file), 5, "s4", folder=file.parent)
    assert last[1].fault == "expected an object with fields, found []"
    ((one, *_),) = read_windows(file, StreamSettings(), open_rows(file, settings, pairs=True))
    assert one.target == "t0"


def test_a_strict_reader_refuses_a_bad_row(file: Path) -> None:
    settings = StreamSettings(strict=True)
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 6: expected an object"):
        list(read_windows(file, settings, open_rows(file, settings)))


def test_rows_of_a_dataset_are_counted_on_from_file_to_file(tmp_path: Path) -> None:
    folder, names = tmp_path / "set", ["one.arrow", "two.arrow"]
    folder.mkdir()
    state = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(state))
    for number, name in enumerate(names):
        cells = {"source": [f"s{number}", None], "target": ["t", "t"]}
        table = pa.table(cells, pa.schema([("source", pa.string()), ("target", pa.string())]))
        with pa.OSFile(str(folder / name), "wb") as out, pa.ipc.new_stream(out, table.schema) as to:
            to.write_table(table)
    settings = StreamSettings()
    (lines,) = read_windows(folder, settings, open_rows(folder, settings, pairs=True))
    assert [line.number for line in lines] == [1, 2, 3, 4]
    assert [line.where for line in lines][:2] == [f"{folder}, row 1", f"{folder}, row 2"]
    assert "(row 2 of this file)" in lines[3].fault


def test_text_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\tb\nc\td\n")
    assert open_rows(path, StreamSettings()) is None  # TABs
    assert open_rows(path, StreamSettings(input_format="sentences")) is None
    tsv = StreamSettings(input_format="tsv")
    assert open_rows(path, tsv, pairs=True) is None
    ((first, _),) = read_windows(path, tsv, open_rows(path, tsv))
    assert first.text == "a"
    with pytest.raises(UsageError, match="has two files"):
        open_rows(path, StreamSettings(input_format="parallel"))


def test_pairs_are_in_one_file_or_in_two(file: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("s0\n")
    assert names_pairs(file, BY_NAME) and not names_pairs(tmp_path / "a", BY_NAME)
    with open_pairs([file], BY_NAME, "parallel") as rows:
        assert next(rows) == Example("s0", "t0", 1)
    with open_pairs([tmp_path / "a"] * 2, BY_NAME, "parallel") as rows:
        assert list(rows) == [Example("s0", "s0", 1)]
    with (
        pytest.raises(UsageError, match="jsonl has source and target in one file"),
        open_pairs([file, file], BY_NAME, "parallel"),
    ):
        pass
    with (
        pytest.raises(UsageError, match="sgm has a file for each side"),
        open_pairs([file], InputSettings(input_format="sgm"), "parallel"),
    ):
        pass
