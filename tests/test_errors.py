"""Exit statuses are those of sysexits.h, so that scripts can tell one failure from another."""

import os
import sys

import pytest

from s2scli import errors
from s2scli.errors import S2SError

SYSEXITS = {
    "CorpusError": "EX_DATAERR",
    "TokenizerError": "EX_DATAERR",
    "CheckpointError": "EX_DATAERR",
    "MissingInputError": "EX_NOINPUT",
    "MissingExtraError": "EX_UNAVAILABLE",
    "DivergedError": "EX_SOFTWARE",
    "OutOfMemoryError": "EX_SOFTWARE",
    "LockedError": "EX_CANTCREAT",
    "StorageError": "EX_IOERR",
    "LostProcessError": "EX_TEMPFAIL",
    "ConfigError": "EX_CONFIG",
}
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, S2SError) and kind is not S2SError
]


@pytest.mark.skipif(sys.platform == "win32", reason="sysexits.h is of POSIX")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_error_has_its_status(kind: type[S2SError]) -> None:
    expected = 2 if kind.__name__ == "UsageError" else getattr(os, SYSEXITS[kind.__name__])
    assert kind("message").exit_status == expected
    assert kind.__bases__ == (S2SError,), "one level, so that a handler names what it means"
