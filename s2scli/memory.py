"""Detect out-of-memory errors and suggest options that need less memory."""

import errno
import re
import sys

from s2scli.errors import OutOfMemoryError, S2SError

# Address space in MB that a command needs to load its libraries, measured with torch 2.13 on a
# CPU. With less, a library may kill the process with a signal.
TO_LOAD = {
    "train": 1200,
    "evaluate": 1100,
    "compare": 1200,
    "prepare": 600,
    "corpus": 350,
    "training": 350,
    "tokenizer": 350,
}
OTHERS_TO_LOAD = 700
SMALLER = {
    "train-tokenizer": "a smaller --vocab-size or --sample-size",
    "train": "a smaller model (-r tiny), smaller batches (--set training.batch_tokens=1024) or, "
    "for validation, --set search.beam_size=1",
    "evaluate": "--int8 or a smaller --beam-size",
    "translate": "--int8, a smaller --beam-size or a smaller --window",
    "score": "a smaller --window",
    "compare": "a smaller model or a smaller --beam-size",
    "generate": "a smaller --count or --beam-size",
}
# torch has no exception class for CPU memory, and the loader raises an ImportError
SIGNS = re.compile(
    "DefaultCPUAllocator: |out of memory|cannot allocate memory|failed to map segment|bad_alloc"
    "|can't start new thread|failed to launch worker thread|_STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)


def is_out_of_memory(failure: BaseException | None) -> bool:
    """Whether an exception, or one of its causes, is an out-of-memory error of any library."""
    while failure is not None:
        if isinstance(failure, MemoryError) or getattr(failure, "errno", None) == errno.ENOMEM:
            return True
        if not isinstance(failure, S2SError) and SIGNS.search(str(failure)):
            return True
        failure = failure.__cause__
    return False


def explained(failure: BaseException, command: str) -> BaseException:
    """Return the exception of a command; replace an out-of-memory error by one with advice."""
    if isinstance(failure, OutOfMemoryError) or not is_out_of_memory(failure):
        return failure
    found = " ".join(str(failure).split())[:150]
    less = f"use {SMALLER[command]}" if command in SMALLER else "free some memory"
    return OutOfMemoryError(
        f"{command}: out of memory{f' ({found})' if found else ''}; {less}, or allow more memory "
        "(ulimit -v)"
    )


def require_address_space(command: str) -> None:
    """Check that the process may use enough memory to load the libraries of a command.

    Raises:
        OutOfMemoryError: the memory limit (`ulimit -v`) is too low.
    """
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    needed = TO_LOAD.get(command, OTHERS_TO_LOAD)
    if limit != resource.RLIM_INFINITY and limit < needed << 20:
        raise OutOfMemoryError(
            f"{command}: the memory limit is {limit >> 20} MB, but loading the libraries needs "
            f"about {needed} MB; allow more: ulimit -v {needed << 10}"
        )
