"""Freed memory stays with the process where the C library can be asked."""

import ctypes
import os
import subprocess
import sys

import pytest

from s2scli.model.allocation import KERNELS, keep_freed_memory

PROBE = """
import resource, torch
from s2scli.model.allocation import keep_freed_memory
if {keep}:
    keep_freed_memory()
for turn in range(20):
    if turn == 5:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, keep: bool) -> int:
    """Pages the system had to hand over for 15 tensors of 64 MB, one after the other."""
    command = [sys.executable, "-c", PROBE.format(keep=keep)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is of glibc")
def test_the_same_pages_are_used_again() -> None:
    assert faults(keep=True) < faults(keep=False) / 2


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", pytest.fail)
    keep_freed_memory()


@pytest.mark.parametrize(("given", "kept"), [(None, "64"), ("7", "7")])
def test_fewer_kernels_are_kept_unless_the_user_says(
    monkeypatch: pytest.MonkeyPatch, given: str | None, kept: str
) -> None:
    monkeypatch.setenv(KERNELS, given or "")
    if given is None:
        monkeypatch.delenv(KERNELS)
    keep_freed_memory()
    assert os.environ[KERNELS] == kept
