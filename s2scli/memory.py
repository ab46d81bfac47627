"""Memory that runs out: how libraries report it, and what would need less."""

import errno
import re
import sys

from s2scli.errors import OutOfMemoryError, S2SError

# What the libraries of a command take of the address space to be loaded, in MB, measured with
# torch 2.13 on a processor. With less they may end the process with a signal.
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
    "train": "a smaller model (-r tiny) or smaller batches (--set training.batch_tokens=1024), and "
    "in validation --set search.beam_size=1",
    "evaluate": "--int8 or a smaller --beam-size",
    "translate": "--int8, a smaller --beam-size or a smaller --window",
    "score": "a smaller --window",
    "compare": "a smaller model or a smaller --beam-size",
    "generate": "a smaller --count or --beam-size",
}
# torch has no class of its own for a processor's memory, the loader raises an ImportError
SIGNS = re.compile(
    "DefaultCPUAllocator: |out of memory|cannot allocate memory|failed to map segment|bad_alloc"
    "|can't start new thread|failed to launch worker thread",
    re.IGNORECASE,
)


def is_out_of_memory(failure: BaseException | None) -> bool:
    """Whether a failure, or its cause, is lack of memory, whichever library reports it."""
    while failure is not None:
        if isinstance(failure, MemoryError) or getattr(failure, "errno", None) == errno.ENOMEM:
            return True
        if not isinstance(failure, S2SError) and SIGNS.search(str(failure)):
            return True
        failure = failure.__cause__
    return False


def explained(failure: BaseException, command: str) -> BaseException:
    """Return the failure of a command; lack of memory as an error that says what needs less."""
    if isinstance(failure, OutOfMemoryError) or not is_out_of_memory(failure):
        return failure
    found = " ".join(str(failure).split())[:150]
    less = f"{SMALLER[command]} needs less" if command in SMALLER else "free some"
    return OutOfMemoryError(
        f"{command}: out of memory{f' ({found})' if found else ''}; {less}, or allow more memory "
        "(ulimit -v)"
    )


def require_address_space(command: str) -> None:
    """Check that the libraries of a command can be loaded within the limit of the process.

    Raises:
        OutOfMemoryError: the limit (`ulimit -v`) is too low.
    """
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    needed = TO_LOAD.get(command, OTHERS_TO_LOAD)
    if limit != resource.RLIM_INFINITY and limit < needed << 20:
        raise OutOfMemoryError(
            f"{command}: may use {limit >> 20} MB of memory, but loading its libraries takes about "
            f"{needed} MB; allow more: ulimit -v {needed << 10}"
        )
