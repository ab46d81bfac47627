"""An Arrow file from anywhere is read as it is, or refused: one flipped bit ends no process."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from s2scli.data.arrow import ArrowFile
from s2scli.data.encoded import SCHEMA as ENCODED
from s2scli.data.encoded import EncodedSplit
from s2scli.data.store import TEXT_SCHEMA as TEXT
from s2scli.errors import CheckpointError

TEXTS = {"source": ["one", "zwei ü", ""], "target": ["1", "2", "3"], "line": [1, 2, 3]}
IDS = {"source": [[4, 5], [], [6]], "target": [[7], [8, 9], [4]]}
KINDS: dict[str, tuple[pa.Schema, dict[str, Any]]] = {
    "text": (TEXT, TEXTS),
    "encoded": (ENCODED, IDS),
}
READ = """
import contextlib, sys
from pathlib import Path
import numpy as np
from s2scli.data.encoded import EncodedSplit
from s2scli.data.store import TextSplit
from s2scli.errors import CheckpointError

path, kind = Path(sys.argv[1]), sys.argv[2]
whole = path.read_bytes()
refused = 0
for bit in range(0, len(whole) * 8, int(sys.argv[3])):
    content = bytearray(whole)
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    print(bit, flush=True)
    try:
        if kind == "text":
            split = TextSplit(path)
            list(split), [split[row] for row in range(len(split))]
        else:
            split = EncodedSplit(path, reads=10, target_size=10)
            split.lengths(0, len(split)), split.gather(np.arange(len(split)))
    except CheckpointError as error:
        refused += 1
        assert "make it again" in str(error) and "\\n" not in str(error)
print(f"{refused} refused")
"""


def write(path: Path, kind: str) -> Path:
    schema, columns = KINDS[kind]
    with pa.ipc.new_file(str(path), schema) as writer:
        for _ in range(2):
            writer.write_table(pa.table(columns, schema))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_refused_or_harmless(kind: str, stride: int, tmp_path: Path) -> None:
    """Every bit, or every eleventh, in a process of its own, which a signal would end."""
    path = write(tmp_path / "rows.arrow", kind)
    command = [sys.executable, "-c", READ, str(path), kind, str(stride)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    *bits, refused = done.stdout.splitlines() or [""]
    assert done.returncode == 0, (bits[-1:], done.stderr[-2000:])
    assert len(bits) == len(range(0, 8 * path.stat().st_size, stride))  # n of n
    assert int(refused.split()[0]) > 50


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_is_read(kind: str, tmp_path: Path) -> None:
    schema, columns = KINDS[kind]
    file = ArrowFile(write(tmp_path / "rows.arrow", kind), schema, "s2s prepare")
    assert (len(file), file.rows) == (2, (3, 3))
    assert [batch.to_pydict() for batch in file.batches()] == [columns, columns]


def test_a_batch_is_validated_once_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ArrowFile(write(tmp_path / "rows.arrow", "text"), TEXT, "s2s prepare")
    looked_at = []
    monkeypatch.setattr("s2scli.data.arrow._has_null", lambda column: looked_at.append(column))
    for number in (1, 1, 0, 1):
        file.batch(number)
    assert len(looked_at) == 2 * len(TEXT.names)


@pytest.mark.parametrize("content", [b"", b"junk", bytes(10_000)])
def test_what_is_no_arrow_file_is_refused_with_the_fix(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.arrow").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"rows.arrow: damaged \(.*again with `s2s prepare`"):
        ArrowFile(tmp_path / "rows.arrow", TEXT, "s2s prepare")


def test_what_is_not_there_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"rows.arrow: missing .*again with `s2s prepare`"):
        ArrowFile(tmp_path / "rows.arrow", TEXT, "s2s prepare")


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.arrow", "text")
    with pytest.raises(CheckpointError, match="unexpected columns"):
        ArrowFile(path, ENCODED, "s2s prepare")


@pytest.mark.parametrize(
    ("kind", "column", "values"),
    [("text", "source", [None]), ("encoded", "source", [None]), ("encoded", "source", [[None]])],
)
def test_a_null_is_refused(tmp_path: Path, kind: str, column: str, values: list[object]) -> None:
    """The schema forbids nulls, and the library writes them all the same."""
    schema, columns = KINDS[kind]
    rows = {name: cells[:1] for name, cells in columns.items()} | {column: values}
    arrays = [pa.array(rows[field.name], field.type) for field in schema]
    with pa.ipc.new_file(str(tmp_path / "rows.arrow"), schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    with pytest.raises(CheckpointError, match="unexpected null"):
        list(ArrowFile(tmp_path / "rows.arrow", schema, "s2s prepare").batches())


def test_ids_outside_the_vocabulary_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.arrow", "encoded")
    EncodedSplit(path, reads=7, target_size=10).gather(np.arange(6))
    for reads, target_size, row in ((6, 10, 2), (7, 9, 4)):
        split = EncodedSplit(path, reads=reads, target_size=target_size)
        split.gather(np.delete(np.arange(6), [row % 3, row % 3 + 3]))
        with pytest.raises(CheckpointError, match="token ids outside the vocabulary of"):
            split.gather(np.array([0, row]))
