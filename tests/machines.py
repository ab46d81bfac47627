"""Machines for tests: the one they run on, and others it may pretend to be."""

from dataclasses import replace

import pytest

from s2scli.model.kernels.machine import Machine, this_machine

needs_one_dnn = pytest.mark.skipif(
    not this_machine().has_one_dnn, reason="this PyTorch has no products by oneDNN"
)
needs_int8 = pytest.mark.skipif(
    not this_machine().has_int8,
    reason="this PyTorch has no products of 8 bits for this processor",
)
EITHER_LIBRARY = [False, pytest.param(True, marks=needs_one_dnn)]


def machine_that_prefers(one_dnn: bool) -> Machine:
    """Return this machine, but with the library that multiplies for it chosen."""
    vendor, capability = ("AuthenticAMD", "AVX512") if one_dnn else ("other", "other")
    machine = replace(this_machine(), vendor=vendor, capability=capability)
    return replace(machine, has_mkl=True, has_one_dnn=True)


def multiply_by_one_dnn(monkeypatch: pytest.MonkeyPatch, wanted: bool = True) -> None:
    """Let oneDNN multiply, or let it not, whatever the processor."""
    machine = machine_that_prefers(wanted)
    monkeypatch.setattr("s2scli.model.kernels.machine.this_machine", lambda: machine)
