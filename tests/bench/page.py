"""Render the page of the benchmarks: its prose stays, its tables come from the results.

A table's place is between `<!-- table NAME -->` and `<!-- end -->`.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.race import ROOT
from tests.bench.rendering import grid, number
from tests.bench.results import Machine, Result
from tests.bench.tables import Table

PAGE = ROOT / "examples" / "benchmarks" / "README.md"
MACHINES = "machines"
PLACE = re.compile(r"<!-- table (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def render(page: str, machines: Sequence[Machine], tables: Mapping[str, Table]) -> str:
    """Return the page with all tables made anew.

    Raises:
        ValueError: a table has no place on the page, or a place no table.
    """
    wanted, found = {MACHINES, *tables}, PLACE.findall(page)
    for name in sorted(wanted ^ {*found}):
        what = "has no place" if name in wanted else "is unknown"
        raise ValueError(f"the page of the benchmarks: table {name} {what}")
    for name in {name for name in found if found.count(name) > 1}:
        raise ValueError(f"the page of the benchmarks: table {name} has two places")

    def fill(place: re.Match[str]) -> str:
        name = place[1]
        lines = _machines(machines) if name == MACHINES else _block(name, machines, tables[name])
        return "\n".join([f"<!-- table {name} -->", "", *lines, "", "<!-- end -->"])

    return PLACE.sub(fill, page)


def render_file(path: Path, machines: Sequence[Machine], tables: Mapping[str, Table]) -> None:
    """Render the page in its file."""
    path.write_text(render(path.read_text(encoding="utf-8"), machines, tables), encoding="utf-8")


def _machines(machines: Sequence[Machine]) -> list[str]:
    if not machines:
        return ["There are no results yet."]
    facts = list(dict.fromkeys(name for machine in machines for name in machine.facts))
    rows = [(one.name, *(one.facts.get(name) for name in facts)) for one in machines]
    return grid(("machine", *facts), rows)


def _block(name: str, machines: Sequence[Machine], table: Table) -> list[str]:
    lines = [f"**{table.title}** (`python -m tests.bench --only {name}`)"]
    for machine in machines:
        result = machine.tables.get(name)
        lines += ["", f"{machine.name}: {_state(result)}"]
        if result is not None and result.documents:
            lines += ["", *table.render(result.documents)]
    return lines


def _state(result: Result | None) -> str:
    """Say whether there is a result, and how it was measured."""
    if result is None:
        return "not measured yet."
    limit = number(result.limit / 60)
    states = {
        "measured": _how(result),
        "stopped": f"stopped at its limit of {limit} minutes; {_how(result)}",
        "failed": f"failed ({result.reason}); {_how(result)}",
        "skipped": f"skipped: {result.reason}.",
    }
    return states[result.state]


def _how(result: Result) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in sorted(result.settings.items()))
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    left_out = f"; left out: {result.reason}" * (result.state == "measured" and bool(result.reason))
    return (
        f"{result.date}, {number(result.seconds)} seconds, load {number(result.load)} before it; "
        f"`{settings}`; {versions}{left_out}."
    )
