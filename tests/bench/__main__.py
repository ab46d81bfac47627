"""Measure all tables, one after the other, and render the page from the results.

    python -m tests.bench                       what has no result on this machine yet
    python -m tests.bench --only start search-transformer
    python -m tests.bench --list
    python -m tests.bench --render              the page only

Results are written after each table, so an interrupted run goes on where it was. A table that has a
result is measured again with --again, or when it is named. Set S2S_BENCH_RAW, S2S_BENCH_WORKSPACE,
S2S_BENCH_EXPORT, S2S_BENCH_MODEL and S2S_BENCH_TEXT to the data that some tables need (see
examples/benchmarks), and S2S_BENCH_DEVICE=cuda to measure a GPU.
"""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench import page, results
from tests.bench.running import run
from tests.bench.tables import TABLES, Table

BUSY = 0.5  # processes that want a core


def main(
    arguments: Sequence[str],
    tables: Mapping[str, Table] = TABLES,
    folder: Path = results.FOLDER,
    path: Path = page.PAGE,
) -> int:
    """Do what the arguments say; return 1 if a table failed or was stopped, else 0.

    Args:
        arguments: those of the command.
        tables: all tables, by name.
        folder: the results of all machines.
        path: the page.
    """
    chosen = _parser(tables).parse_args(arguments)
    machine = results.this_machine(folder)
    if chosen.list:
        for name, table in tables.items():
            state = machine.tables[name].state if name in machine.tables else "not measured"
            print(f"{name:24} {table.minutes:3g} min  {state:12}  {table.title}")
        return 0
    failed = False
    for name in [] if chosen.render else _wanted(tables, machine, chosen.only, chosen.again):
        print(f"{name}: {tables[name].title}", file=sys.stderr)
        if (load := os.getloadavg()[0]) > BUSY:
            print(f"note: the load is {load:.2f}; other processes take speed away", file=sys.stderr)
        found = run(tables[name], chosen.limit_scale)
        print(f"{name}: {found.state} {found.reason}".rstrip(), file=sys.stderr)
        failed |= found.state in ("failed", "stopped")
        old = machine.tables.get(name)
        if found.state == "skipped" and old is not None and old.state == "measured":
            continue  # missing data do not undo a result
        machine = replace(machine, tables={**machine.tables, name: found})
        machine.save(folder)
    page.render_file(path, results.read_all(folder), tables)
    return int(failed)


def _wanted(
    tables: Mapping[str, Table], machine: results.Machine, only: Sequence[str], again: bool
) -> list[str]:
    """Return the tables to measure: those named, or those without a result."""
    if only:
        return [name for name in tables if name in only]
    measured = {name for name, found in machine.tables.items() if found.state == "measured"}
    return [name for name in tables if again or name not in measured]


def _parser(tables: Mapping[str, Table]) -> argparse.ArgumentParser:
    about, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=about,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--only", nargs="+", metavar="NAME", choices=tables, default=(), help="these tables"
    )
    what.add_argument("--again", action="store_true", help="also the tables that have a result")
    what.add_argument("--render", action="store_true", help="measure nothing; render the page")
    what.add_argument("--list", action="store_true", help="list the tables and their limits")
    parser.add_argument(
        "--limit-scale", type=_scale, default=1.0, metavar="X", help="multiply the time limits"
    )
    return parser


def _scale(text: str) -> float:
    """Return a positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if 0 < value < float("inf"):
        return value
    raise argparse.ArgumentTypeError(f"{text}: the scale must be a number above 0")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what it has started ends with it
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
