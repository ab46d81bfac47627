"""Machines for tests: the one they run on, and others it may pretend to be."""

from dataclasses import replace

import pytest

from s2scli.model.kernels.machine import this_machine

needs_one_dnn = pytest.mark.skipif(
    not this_machine().has_one_dnn, reason="this PyTorch has no products by oneDNN"
)
needs_int8 = pytest.mark.skipif(
    not this_machine().has_int8,
    reason="this PyTorch has no products of 8 bits for this processor",
)
EITHER_LIBRARY = [False, pytest.param(True, marks=needs_one_dnn)]


def multiply_by_one_dnn(monkeypatch: pytest.MonkeyPatch, wanted: bool = True) -> None:
    """Let oneDNN multiply, or let it not, whatever the processor."""
    vendor, capability = ("AuthenticAMD", "AVX512") if wanted else ("other", "other")
    machine = replace(this_machine(), vendor=vendor, capability=capability, has_mkl=True)
    assert machine.prefers_one_dnn == wanted
    monkeypatch.setattr("s2scli.model.kernels.machine.this_machine", lambda: machine)
