"""What this process runs on, and when a kernel of ours computes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from s2scli.model.kernels import machine
from s2scli.model.kernels.machine import (
    Kernel,
    Library,
    Machine,
    set_library,
    this_machine,
    uses_one_dnn,
)

AMD = Machine("AVX512", "AuthenticAMD", True, True, True, 127, True)
NUMBERS = torch.ones(2)


@pytest.mark.parametrize(
    ("processor", "vendor", "levels"),
    [
        (
            "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t: fpu avx512_vnni",
            "AuthenticAMD",
            127,
        ),
        ("vendor_id : GenuineIntel\nflags: avx2", "GenuineIntel", 63),
        ("", "", 63),
        (None, "", 63),
    ],
)
def test_the_processor_is_read_from_its_description(
    processor: str | None,
    vendor: str,
    levels: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if processor is not None:
        (tmp_path / "cpuinfo").write_text(processor)
    monkeypatch.setattr(machine, "CPU_INFO", tmp_path / "cpuinfo")
    found = this_machine.__wrapped__()
    assert (found.vendor, found.int8_levels) == (vendor, levels)
    assert replace(found, vendor="", int8_levels=0) == replace(
        this_machine(), vendor="", int8_levels=0
    )


@pytest.mark.parametrize(
    "change", [{"vendor": "GenuineIntel"}, {"capability": "AVX2"}, {"has_mkl": False}]
)
def test_which_processor_prefers_one_dnn(change: dict[str, Any]) -> None:
    assert AMD.prefers_one_dnn
    assert not replace(AMD, **change).prefers_one_dnn
    assert not replace(AMD, has_one_dnn=False).prefers_one_dnn


@pytest.mark.parametrize("capability", ["DEFAULT", "AVX2"])
def test_products_of_8_bits_are_for_processors_with_vectors(
    capability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr("s2scli.model.kernels.int8.works", lambda: True)
    assert this_machine.__wrapped__().has_int8 == (capability == "AVX2")


def test_a_kernel_is_for_its_types_and_for_processors() -> None:
    kernel = Kernel(frozenset({torch.float32}))
    assert kernel.runs(NUMBERS, NUMBERS)
    assert not kernel.runs(NUMBERS, NUMBERS.double())
    assert not kernel.runs(NUMBERS, NUMBERS.to("meta"))
    assert replace(kernel, cpu_only=False).runs(NUMBERS, NUMBERS.to("meta"))
    assert not Kernel().runs(NUMBERS.int())


def test_a_kernel_is_for_its_modes() -> None:
    learning, fixed, searching = Kernel(), Kernel(with_gradients=False), Kernel(inference_only=True)

    def running() -> list[bool]:
        return [kernel.runs(NUMBERS) for kernel in (learning, fixed, searching)]

    assert running() == [True, False, False]
    with torch.no_grad():
        assert running() == [True, True, False]
    with torch.inference_mode():
        assert running() == [True, True, True]


def test_a_kernel_may_keep_out_of_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert Kernel().runs(NUMBERS)
        assert not Kernel(under_autocast=False).runs(NUMBERS)


@pytest.mark.parametrize("vendor", ["AuthenticAMD", "other"])
def test_a_kernel_is_for_its_machines(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "this_machine", lambda: replace(AMD, vendor=vendor))
    kernel = Kernel(wants=lambda machine: machine.prefers_one_dnn)
    assert kernel.runs(NUMBERS) == (vendor == "AuthenticAMD")


@pytest.mark.parametrize("library", ["torch", "oneDNN", None])
def test_a_process_can_choose_its_library(library: Library | None) -> None:
    rule = replace(AMD, vendor="other")
    try:
        set_library(library)
        assert uses_one_dnn(AMD) == (library != "torch")
        assert uses_one_dnn(rule) == (library == "oneDNN")
    finally:
        set_library(None)
