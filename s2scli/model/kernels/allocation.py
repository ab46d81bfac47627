"""How the C library gives memory out: a model frees and takes the same sizes all the time."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)
NEVER = 2**31 - 1
# what oneDNN keeps, and what PyTorch keeps of it beside that: 1024 each if not given
KERNELS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")


def keep_freed_memory(kernels: int = 64) -> None:
    """Ask the C library to keep freed memory for what comes next, where it is glibc.

    By default each large tensor is mapped anew from the system, which hands it over page by page:
    up to a third of the time of an update of a small model. oneDNN, which compiles kernels for
    every new shape of a batch, and PyTorch, which keeps them with their buffers, are asked to keep
    fewer. To be called before the first tensor is made; elsewhere nothing is done.

    Args:
        kernels: that are kept.
    """
    for name in KERNELS:
        os.environ.setdefault(name, str(kernels))
    _call("mallopt", M_MMAP_MAX, 0)
    _call("mallopt", M_TRIM_THRESHOLD, NEVER)


def give_back_freed_memory() -> None:
    """Return what is free to the system, where the C library is glibc.

    Batches of ever new shapes leave ever more gaps between what is in use: kept for good, they
    would add up. It takes a tenth of a second, and what is needed again is mapped anew.
    """
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library, if this is Linux and the library has it."""
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if function is not None:
        function(*arguments)
