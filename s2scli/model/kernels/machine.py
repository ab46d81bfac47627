"""The processor and libraries of this process, and the conditions for using a kernel."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from s2scli.model.kernels import int8, one_dnn

Library = Literal["torch", "oneDNN"]
CPU_INFO = Path("/proc/cpuinfo")
FLOATS = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})


@dataclass(frozen=True)
class Machine:
    """The processor, and the libraries of this build of PyTorch.

    Attributes:
        capability: the vector instructions that PyTorch uses, such as AVX512.
        vendor: the vendor of the processor, such as AuthenticAMD; empty if unknown.
        has_mkl: whether PyTorch multiplies float32 matrices with MKL.
        has_one_dnn: whether PyTorch has oneDNN's operators for transposed and packed matrices.
        has_int8: whether oneDNN's int8 products work here.
        int8_levels: the largest integer that an input of an int8 product may be quantized to.
            Without VNNI, the sum of two products is stored in 16 bits, which could overflow with
            larger integers.
        has_bfloat16: whether the processor multiplies bfloat16 matrices in hardware.
    """

    capability: str
    vendor: str
    has_mkl: bool
    has_one_dnn: bool
    has_int8: bool
    int8_levels: int
    has_bfloat16: bool

    @property
    def prefers_one_dnn(self) -> bool:
        """Whether oneDNN multiplies float32 matrices faster than PyTorch's default, MKL.

        This is for programs that do not measure it, as a training run does (`products`).
        On AMD processors with AVX-512, MKL reaches half the speed of oneDNN: 90 to 97 against 199
        to 211 GFLOP/s for two 2048 x 2048 matrices on one core of an EPYC (tests/bench).
        """
        is_amd = self.vendor == "AuthenticAMD" and self.capability == "AVX512"
        return is_amd and self.has_mkl and self.has_one_dnn


@functools.cache
def this_machine() -> Machine:
    """Return the machine this process runs on; it is examined only once."""
    capability = torch.backends.cpu.get_cpu_capability()
    processor = CPU_INFO.read_text(errors="replace") if CPU_INFO.exists() else ""
    vendor = re.search(r"^vendor_id\s*:\s*(\S+)", processor, re.MULTILINE)
    return Machine(
        capability,
        vendor[1] if vendor else "",
        torch.backends.mkl.is_available(),  # type: ignore[no-untyped-call]
        one_dnn.works(),
        capability in ("AVX2", "AVX512") and int8.works(),
        127 if "vnni" in processor else 63,
        _has_bfloat16(),
    )


_library: Library | None = None  # of this process, as PyTorch has a number of threads


def set_library(library: Library | None) -> None:
    """Let this process multiply matrices of float32 by a library; None is the preferred one."""
    global _library
    _library = library


def uses_one_dnn(machine: Machine) -> bool:
    """Whether this process, on this machine, multiplies matrices of float32 by oneDNN."""
    return machine.prefers_one_dnn if _library is None else _library == "oneDNN"


def _has_bfloat16() -> bool:
    """Whether PyTorch reports hardware support for products of bfloat16 matrices."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    known = [getattr(torch.cpu, name, None) for name in names]
    return any(check() for check in known if check is not None)


@dataclass(frozen=True)
class Kernel:
    """The conditions under which our implementation replaces PyTorch's.

    Attributes:
        dtypes: the supported dtypes.
        cpu_only: whether it runs only on CPU tensors.
        with_gradients: whether it may run while gradients are recorded.
        gradients_only: whether it runs only while gradients are recorded.
        inference_only: whether it runs only in inference mode.
        under_autocast: whether it may run under autocast, which would choose another dtype.
        wants: a condition on the machine, or None.
    """

    dtypes: frozenset[torch.dtype] = FLOATS
    cpu_only: bool = True
    with_gradients: bool = True
    gradients_only: bool = False
    inference_only: bool = False
    under_autocast: bool = True
    wants: Callable[[Machine], bool] | None = None

    def runs(self, *tensors: Tensor) -> bool:
        """Whether it is used for these tensors, on this machine and in the current modes."""
        if not self.with_gradients and torch.is_grad_enabled():
            return False
        if self.gradients_only and not torch.is_grad_enabled():
            return False
        if self.inference_only and not torch.is_inference_mode_enabled():
            return False
        for tensor in tensors:
            if tensor.dtype not in self.dtypes or (self.cpu_only and not tensor.is_cpu):
                return False
        if not self.under_autocast and torch.is_autocast_enabled("cpu"):
            return False
        return self.wants is None or self.wants(this_machine())
