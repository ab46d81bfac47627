"""Run one table in a process of its own, which is killed at its limit."""

import contextlib
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.race import ROOT
from tests.bench.results import Document, Result, State, versions
from tests.bench.showing import DOCUMENTS
from tests.bench.tables import Table

# Where data and another checkout are, and the device: the only settings not from the table.
FROM_OUTSIDE = frozenset(
    f"S2S_BENCH_{name}"
    for name in ("WORKSPACE", "RAW", "TSV", "EXPORT", "MODEL", "TEXT", "FOLDER", "BASE", "DEVICE")
)
PYTEST = (
    *(sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")),
    *("--rootdir", str(ROOT), "-p", "no:cacheprovider", "-m", "bench", "-n0", "-s", "-q"),
    "--timeout=0",
)
STDERR = 2


def run(table: Table, limit_scale: float = 1.0) -> Result:
    """Measure a table.

    Args:
        table: what to measure.
        limit_scale: by which to multiply its time limit.
    """
    limit = 60 * table.minutes * limit_scale
    date, load = datetime.datetime.now(datetime.UTC).date().isoformat(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="s2s-bench-") as folder:
        documents, report = Path(folder) / "documents", Path(folder) / "report.xml"
        environment = {**_environment(), **table.settings, DOCUMENTS: str(documents)}
        command = [*PYTEST, "--basetemp", f"{folder}/pytest", f"--junitxml={report}", *table.tests]
        start = time.perf_counter()
        status = _wait(command, environment, limit)
        seconds = time.perf_counter() - start
        found = _read(documents)
        state, reason = _outcome(status, report, found)
    return Result(
        state,
        reason,
        date,
        round(seconds, 1),
        limit,
        round(load, 2),
        dict(table.settings),
        versions(),
        found,
    )


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in FROM_OUTSIDE or not name.startswith("S2S_BENCH_")
    }


def _wait(command: Sequence[str], environment: Mapping[str, str], limit: float) -> int | None:
    """Return the exit status of a command; None if it had to be killed at its limit."""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True, stdout=STDERR
    ) as process:
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:  # its own processes too, also when this one is interrupted
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _read(path: Path) -> list[Document]:
    """Return the documents that the table has shown."""
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]  # a kill can cut the last line
    return [json.loads(line) for line in whole.splitlines()]


def _outcome(status: int | None, report: Path, found: Sequence[Document]) -> tuple[State, str]:
    """Return what became of a table, and why."""
    if status is None:
        return "stopped", ""
    skipped, failed = _reasons(report, "skipped"), _reasons(report, "failure", "error")
    if status or failed:
        return "failed", "; ".join(failed) or f"pytest ended with status {status}"
    if not found:
        return "skipped" if skipped else "failed", "; ".join(skipped) or "it showed nothing"
    return "measured", "; ".join(skipped)


def _reasons(report: Path, *kinds: str) -> list[str]:
    """Return the first lines of what pytest says of tests that ended in one of these ways."""
    if not report.exists():
        return []
    cases = ElementTree.parse(report).iter("testcase")
    texts = (
        found.get("message", "") for case in cases for kind in kinds for found in case.iter(kind)
    )
    lines = (text.strip().partition("\n")[0][:200] for text in texts)
    return list(dict.fromkeys(lines))
