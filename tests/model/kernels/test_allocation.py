"""Freed memory stays with the process where the C library can be asked."""

import ctypes
import os
import platform
import subprocess
import sys

import pytest

from s2scli.model.kernels.allocation import KERNELS, give_back_freed_memory, keep_freed_memory
from tests.machines import needs_one_dnn

PROBE = """
import resource, torch
from s2scli.model.kernels.allocation import keep_freed_memory
if {keep}:
    keep_freed_memory()
for turn in range(20):
    if turn == 5:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(9_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(program: str) -> int:
    """Run a program on its own; return the number it prints."""
    environment = {name: value for name, value in os.environ.items() if name not in KERNELS}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,  # without what another test has asked to be kept
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return int(done.stdout)


def faults(*, keep: bool) -> int:
    """Pages the system had to hand over for 15 tensors of 36 MB, which is above glibc's limit."""
    return run(PROBE.format(keep=keep))


@pytest.mark.gate
@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is of glibc")
def test_the_same_pages_are_used_again() -> None:
    assert faults(keep=True) < faults(keep=False) / 2


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", pytest.fail)
    keep_freed_memory()
    give_back_freed_memory()


HELD = """
import torch
from s2scli.model.kernels.allocation import give_back_freed_memory, keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

keep_freed_memory()
kept = []
for turn in range(20):
    gap = torch.ones(4_000_000)
    kept.append(torch.ones(1000))
    del gap
full = torch.ones(40_000_000)
kept.append(torch.ones(1000))
del full
before = resident()
give_back_freed_memory()
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_trim is of glibc")
def test_gaps_between_what_is_in_use_go_back_to_the_system() -> None:
    assert run(HELD) > 100_000_000  # of the 160 million bytes freed


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(("given", "kept"), [(None, "64"), ("7", "7")])
def test_fewer_kernels_are_kept_unless_the_user_says(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str | None, kept: str
) -> None:
    for each in KERNELS:
        monkeypatch.setenv(each, given or "")
        if given is None:
            monkeypatch.delenv(each)
    keep_freed_memory()
    assert os.environ[name] == kept


SHAPES = """
import torch
from s2scli.model.kernels.allocation import give_back_freed_memory, keep_freed_memory
from s2scli.model.kernels.one_dnn import multiply

def resident():
    give_back_freed_memory()
    return int(open("/proc/self/statm").read().split()[1]) * 4096

keep_freed_memory(8)
weight = torch.randn(512, 512)
before = None
for rows in range(1, 401):
    multiply(torch.randn(rows, 512), weight, None)
    if rows == 50:
        before = resident()
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_trim is of glibc")
@needs_one_dnn
def test_ever_new_shapes_do_not_add_up() -> None:
    assert run(SHAPES) < 20_000_000


HOLES = """
import re, sys
from pathlib import Path

from s2scli.model.kernels.allocation import return_freed_memory

def resident():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\\s*(\\d+)", status)[1]) >> 10

if sys.argv[1] == "returned":
    return_freed_memory()
large = b"x" * (30 << 20)
del large
before = resident()
blocks = [(b"x" * (8 << 20), b"x" * 2000) for _ in range(6)]
kept = [small for _, small in blocks]
del blocks
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the setting")
@pytest.mark.parametrize("given", ["returned", "kept"])
def test_freed_blocks_are_returned_at_once(given: str) -> None:
    command = [sys.executable, "-c", HOLES, given]
    left = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (left < 16) == (given == "returned"), "megabytes, of the 48 that were freed"
