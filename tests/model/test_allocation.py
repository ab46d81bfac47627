"""Freed memory stays with the process where the C library can be asked."""

import subprocess
import sys

import pytest

PROBE = """
import resource, torch
from s2scli.model.allocation import keep_freed_memory
if {keep}:
    keep_freed_memory()
for turn in range(20):
    if turn == 5:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(4_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, keep: bool) -> int:
    """Pages the system had to hand over for 15 tensors of 16 MB, one after the other."""
    command = [sys.executable, "-c", PROBE.format(keep=keep)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is of glibc")
def test_the_same_pages_are_used_again() -> None:
    assert faults(keep=True) < faults(keep=False) / 2


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from s2scli.model import allocation

    monkeypatch.setattr(allocation.sys, "platform", "darwin")
    monkeypatch.setattr(allocation.ctypes, "CDLL", pytest.fail)
    allocation.keep_freed_memory()
