"""A Rich console that does not exit when its stream is closed."""

import contextlib
import os
import sys

from rich.console import Console

from s2scli.report.streams import stdout_errors


class StreamConsole(Console):
    """A console that does not exit when its stream is closed.

    On stdout, a failed write raises an error; a broken pipe is raised unchanged. On stderr, a
    failed write makes the console quiet, so a lost message never ends a command.
    """

    def on_broken_pipe(self) -> None:
        """Raise the broken pipe again; Rich itself would exit."""
        self.quiet = True
        raise

    def _check_buffer(self) -> None:
        """Write the buffer; all output of Rich passes through here, including live displays."""
        if not self.stderr:
            with stdout_errors():
                super()._check_buffer()
            return
        try:
            super()._check_buffer()
        except OSError:
            self.quiet = True
            _forget_stderr()


def _forget_stderr() -> None:
    """Discard what is still buffered, so that the interpreter does not write it at exit."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
