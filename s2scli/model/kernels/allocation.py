"""How the C library allocates memory: a model allocates and frees the same sizes repeatedly."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)
NEVER = 2**31 - 1
# the caches of oneDNN and of PyTorch, of 1024 kernels each by default
KERNELS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")


def keep_freed_memory(kernels: int = 64) -> None:
    """Let the C library keep freed memory for later allocations, where it is glibc.

    By default each large tensor is mapped from the system again, page by page, which takes up to a
    third of the time of an update of a small model. oneDNN compiles a kernel for every new shape of
    a batch, and PyTorch keeps them with their buffers: both caches are made smaller, unless the
    environment says otherwise. Call it before the first tensor is made.

    Args:
        kernels: the size of these caches.
    """
    for name in KERNELS:
        os.environ.setdefault(name, str(kernels))
    _call("mallopt", M_MMAP_MAX, 0)
    _call("mallopt", M_TRIM_THRESHOLD, NEVER)


def give_back_freed_memory() -> None:
    """Return freed memory to the system, where the C library is glibc.

    Batches of new shapes leave unused gaps in memory, which would add up. It takes a tenth of a
    second, and memory that is needed later must be mapped again.
    """
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library, if this is Linux and the library has it."""
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if function is not None:
        function(*arguments)
