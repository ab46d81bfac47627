"""A failed write of stdout is told as such."""

import errno

import pytest

from s2scli.errors import StorageError
from s2scli.report.streams import stdout_errors


def test_a_full_disk_is_named_and_a_broken_pipe_stays_one() -> None:
    with pytest.raises(StorageError, match=r"^cannot write stdout: no room$"), stdout_errors():
        raise OSError(errno.ENOSPC, "no room")
    with pytest.raises(BrokenPipeError), stdout_errors():
        raise BrokenPipeError
