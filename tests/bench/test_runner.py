"""The runner of the benchmarks, with small tables: limits, failures, skips, going on.

Each table is a process of pytest.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench.race import ROOT
from tests.bench.results import Machine, read_all, versions
from tests.bench.running import run
from tests.bench.tables import Table

TESTS = """
import os, subprocess, sys, time
import pytest
from tests.bench.showing import show

pytestmark = pytest.mark.bench

def test_measured():
    names = ("S2S_BENCH_ROUNDS", "S2S_BENCH_UPDATES", "S2S_BENCH_RAW")
    show({name: os.environ.get(name, "") for name in names})

def test_skipped():
    pytest.skip("set S2S_BENCH_RAW to a folder")

def test_failed():
    show({"before": 1})
    raise RuntimeError("the peer is broken")

def test_silent():
    pass

def test_endless():
    show({"before": 1})
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    show({"child": child.pid})
    time.sleep(600)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.name == "nt", reason="ends a group of processes"),
]


@pytest.fixture(scope="module")
def tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "test_tables.py"
    path.write_text(TESTS, encoding="utf-8")
    return path


def table(tests: Path, name: str, minutes: float = 5, *others: str) -> Table:
    nodes = tuple(f"{tests}::test_{each}" for each in (name, *others))
    return Table(name.capitalize(), nodes, minutes, {"S2S_BENCH_ROUNDS": "3"})


def is_running(pid: int) -> bool:
    """Whether a process runs; one that was killed may wait for whoever collects it."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text(encoding="utf-8")


def test_a_table_has_its_own_settings_alone(tests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2S_BENCH_ROUNDS", "99")
    monkeypatch.setenv("S2S_BENCH_UPDATES", "99")
    monkeypatch.setenv("S2S_BENCH_RAW", "data")  # where data are is said from outside
    found = run(table(tests, "measured"))
    assert (found.state, found.reason) == ("measured", "")
    (document,) = found.documents
    assert list(document.values()) == ["3", "", "data"]
    assert found.settings == {"S2S_BENCH_ROUNDS": "3"} and found.limit == 300
    assert 0 < found.seconds < 300 and found.versions["s2s"] == versions()["s2s"]


@pytest.mark.parametrize(
    ("names", "state", "reason"),
    [
        (("skipped",), "skipped", "set S2S_BENCH_RAW to a folder"),
        (("measured", "skipped"), "measured", "set S2S_BENCH_RAW to a folder"),
        (("failed",), "failed", "RuntimeError: the peer is broken"),
        (("silent",), "failed", "it showed nothing"),
        (("missing",), "failed", "pytest ended with status 4"),
    ],
)
def test_what_became_of_a_table(
    tests: Path, names: tuple[str, ...], state: str, reason: str
) -> None:
    first, *others = names
    found = run(table(tests, first, 5, *others))
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc of Linux")
def test_a_table_is_killed_at_its_limit_with_its_processes(tests: Path) -> None:
    begin = time.monotonic()
    found = run(table(tests, "endless", 10), limit_scale=0.05)
    assert found.state == "stopped" and found.limit == 30
    assert 30 <= time.monotonic() - begin < 120
    before, child = found.documents  # what it had measured is kept
    assert before == {"before": 1}
    assert not is_running(child["child"])


def measure(
    folder: Path, tables: Mapping[str, Table], *arguments: str, expected: int = 0
) -> Machine:
    """Run the command; return what it has recorded."""
    page = folder / "page.md"
    if not page.exists():
        places = (f"<!-- table {name} -->\n<!-- end -->\n" for name in ("machines", *tables))
        page.write_text("".join(places), encoding="utf-8")
    assert bench.main(arguments, tables, folder, page) == expected
    (machine,) = read_all(folder)
    return machine


def test_what_has_a_result_is_not_measured_again(tests: Path, tmp_path: Path) -> None:
    tables = {name: table(tests, name) for name in ("measured", "skipped", "failed")}
    first = measure(tmp_path, tables, expected=1)
    states = {name: found.state for name, found in first.tables.items()}
    assert states == {"measured": "measured", "skipped": "skipped", "failed": "failed"}
    old = replace(first.tables["measured"], date="2000-01-01")
    replace(first, tables={**first.tables, "measured": old}).save(tmp_path)
    again = measure(tmp_path, tables, expected=1)
    assert again.tables["measured"] == old
    assert again.tables["failed"] != first.tables["failed"]  # its seconds differ
    named = measure(tmp_path, tables, "--only", "measured")
    assert named.tables["measured"].date != "2000-01-01"
    assert named.tables["failed"] == again.tables["failed"]
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "failed (RuntimeError: the peer is broken)" in text


def test_missing_data_do_not_undo_a_result(tests: Path, tmp_path: Path) -> None:
    old = measure(tmp_path, {"one": table(tests, "measured")})
    new = measure(tmp_path, {"one": table(tests, "skipped")}, "--again")
    assert new == old


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc of Linux")
def test_an_interrupted_run_keeps_its_results_and_ends_its_processes(
    tests: Path, tmp_path: Path
) -> None:
    program = f"""
import signal, sys
from pathlib import Path
from tests.bench.__main__ import main
from tests.bench.tables import Table
signal.signal(signal.SIGTERM, signal.default_int_handler)
folder = Path({str(tmp_path)!r})
page = folder / "page.md"
tables = {{
    name: Table(name, ({str(tests)!r} + "::test_" + name,), 10) for name in ("measured", "endless")
}}
try:
    main([], tables, folder, page)
except KeyboardInterrupt:
    sys.exit(130)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("endless:"):
                break
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 130
    (machine,) = read_all(tmp_path)
    assert [(name, one.state) for name, one in machine.tables.items()] == [("measured", "measured")]


def test_the_list_and_the_page_measure_nothing(
    tests: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = {"one": table(tests, "measured")}
    measure(tmp_path, tables)
    file = next(tmp_path.glob("*.json"))
    before = file.read_bytes()
    capsys.readouterr()
    measure(tmp_path, tables, "--list")
    assert capsys.readouterr().out.split() == ["one", "5", "min", "measured", "Measured"]
    page = tmp_path / "page.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("S2S_BENCH_ROUNDS=3", "typed by hand"), encoding="utf-8")
    measure(tmp_path, tables, "--render")
    assert page.read_text(encoding="utf-8") == text
    assert file.read_bytes() == before
