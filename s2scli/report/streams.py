"""Failures of the standard streams."""

import contextlib
from collections.abc import Iterator

from s2scli.errors import StorageError


@contextlib.contextmanager
def stdout_errors() -> Iterator[None]:
    """Turn a failure to write stdout into a `StorageError`; a broken pipe is raised unchanged."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"cannot write stdout: {error.strerror}") from error
