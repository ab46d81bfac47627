"""How the C library gives memory out: a model frees and takes the same sizes all the time."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)
NEVER = 2**31 - 1
KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"  # of oneDNN, 1024 if not given


def keep_freed_memory() -> None:
    """Ask the C library to keep freed memory for what comes next, where it is glibc.

    By default each large tensor is mapped anew from the system, which hands it over page by page:
    up to a third of the time of an update of a small model. oneDNN, which compiles kernels for
    every new shape of a batch and keeps them, is asked to keep fewer. To be called before the
    first tensor is made; elsewhere nothing is done.
    """
    os.environ.setdefault(KERNELS, "64")
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)
