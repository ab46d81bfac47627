"""The results of all tables on one machine: a JSON file, named by the processor."""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from s2scli import __version__
from s2scli.files import write_file
from tests.bench.race import ROOT, processor

FOLDER = ROOT / "examples" / "benchmarks" / "results"
PACKAGES = ("torch", "transformers", "ctranslate2", "sentencepiece", "datasets")
MEASURED_CODE = ("s2scli", "tests/bench")

State = Literal["measured", "stopped", "failed", "skipped"]
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What became of a table.

    Attributes:
        state: measured; stopped at its limit; failed; or skipped, as its data are missing.
        reason: why it was not measured, or what was left out.
        date: the day, in UTC.
        seconds: what it took.
        limit: the most it was allowed, in seconds.
        load: the processes that wanted a core when it began, as `os.getloadavg` counts them.
        settings: the environment variables of the table.
        versions: of Python, s2s with its commit, PyTorch and the peers.
        documents: what it measured; after a stop, what it had measured by then.
    """

    state: State
    reason: str
    date: str
    seconds: float
    limit: float
    load: float
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    documents: Sequence[Document]


@dataclass(frozen=True)
class Machine:
    """A machine and its results.

    Attributes:
        name: the processor and the number of cores, or the GPU.
        facts: cores, memory and system.
        tables: the results by the name of the table.
    """

    name: str
    facts: Mapping[str, Any]
    tables: Mapping[str, Result] = field(default_factory=dict)

    def path(self, folder: Path) -> Path:
        """Return the file of this machine."""
        return folder / f"{re.sub('[^a-z0-9]+', '-', self.name.lower()).strip('-')}.json"

    def save(self, folder: Path) -> None:
        """Write the file whole, or leave it as it was."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        folder.mkdir(parents=True, exist_ok=True)
        write_file(self.path(folder), f"{text}\n".encode())

    @classmethod
    def read(cls, path: Path) -> "Machine":
        """Read a file that `save` wrote."""
        tree = json.loads(path.read_text(encoding="utf-8"))
        tables = {name: Result(**result) for name, result in tree["tables"].items()}
        return cls(tree["name"], tree["facts"], tables)


def this_machine(folder: Path) -> Machine:
    """Return this machine with the results that the folder has of it."""
    device = os.environ.get("S2S_BENCH_DEVICE", "cpu")
    cores = os.cpu_count() or 1
    name = f"{processor()}, {cores} core{'s' * (cores > 1)}"
    if device != "cpu":
        name = torch.cuda.get_device_name(device)
    facts = {
        "processor": processor(),
        "cores": cores,
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "memory in GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": platform.system(),
    }
    machine = Machine(name, facts)
    path = machine.path(folder)
    return Machine(name, facts, Machine.read(path).tables) if path.exists() else machine


def read_all(folder: Path) -> list[Machine]:
    """Return all machines that have a file in the folder, by its name."""
    return [Machine.read(path) for path in sorted(folder.glob("*.json"))]


def versions() -> dict[str, str]:
    """Return the versions of what takes part; a package that is not installed is left out."""
    found = {"python": platform.python_version(), "s2s": __version__, "commit": commit_of(ROOT)}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit_of(checkout: Path) -> str:
    """Return the commit of a checkout of s2s; it says so if files that are measured differ."""
    try:
        command = ["git", "-C", str(checkout), "rev-parse", "--short=10", "HEAD"]
        commit = subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
        changed = ["git", "-C", str(checkout), "diff", "--quiet", "HEAD", "--", *MEASURED_CODE]
        return f"{commit} with changes" if subprocess.run(changed).returncode else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
