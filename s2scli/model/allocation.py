"""How the C library gives memory out: a model frees and takes the same sizes all the time."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Ask the C library to keep freed memory for what comes next, where it is glibc.

    By default each large tensor is mapped anew from the system, which hands it over page by page:
    a third of the time of an update of a small model. Elsewhere nothing is done.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)
