"""Memory allocation by the C library, tuned for repeated allocations of the same sizes."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # of mallopt(3)
RETURNED_BYTES = 256 << 10
NEVER = 2**31 - 1
# cache sizes of oneDNN and PyTorch; each holds 1024 kernels by default
KERNELS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")


def keep_freed_memory(kernels: int = 64) -> None:
    """Make glibc keep freed memory for later allocations, and shrink the kernel caches.

    By default, glibc gets new memory from the system for each large tensor, page by page. This
    takes up to a third of the time of an update of a small model. oneDNN compiles a kernel for
    every new batch shape, and PyTorch keeps these kernels with their buffers. Both caches are made
    smaller, unless the environment variables are already set. Call this function before the first
    tensor is created. With another C library, only the caches change.

    Args:
        kernels: the size of each cache.
    """
    for name in KERNELS:
        os.environ.setdefault(name, str(kernels))
    _call("mallopt", M_MMAP_MAX, 0)
    _call("mallopt", M_TRIM_THRESHOLD, NEVER)


def return_freed_memory() -> None:
    """Make glibc return each freed block of some size to the system at once.

    By default, it raises the size from which it does so with each block that is freed. Blocks of
    megabytes, such as the pieces of a stream, then leave gaps in memory, which accumulate.
    """
    _call("mallopt", M_MMAP_THRESHOLD, RETURNED_BYTES)


def give_back_freed_memory() -> None:
    """Return freed memory to the system, if the C library is glibc.

    Batches of new shapes leave unused gaps in memory, which would accumulate. The call takes a
    tenth of a second, and memory that is needed later must be mapped again.
    """
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library, on Linux and if the function exists."""
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if function is not None:
        function(*arguments)
