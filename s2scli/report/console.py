"""What a command says and shows: talk on stderr, results on stdout, one rule for all."""

import contextlib
import os
import re
import sys
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Return `text` with control and bidi-override characters spelled out (`\x1b` as `␛`).

    Text of a corpus goes through this before it reaches a terminal.
    """
    return CONTROL.sub(_spelled, text)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"\\u{code:04x}"


class StreamConsole(Console):
    """A console that leaves it to the command what a stream without a reader means.

    On stdout a broken pipe is raised as it is. On stderr any failure to write (the terminal was
    closed, the reader of the pipe has gone) is silence from then on: talk never ends the work.
    """

    def on_broken_pipe(self) -> None:
        """Raise the error that Rich is handling again, where Rich would exit."""
        self.quiet = True
        raise

    def _check_buffer(self) -> None:
        """Write what is buffered: every output of Rich, moving displays included, passes here."""
        try:
            super()._check_buffer()
        except OSError:
            if not self.stderr:
                raise
            self.quiet = True
            _forget_stderr()


def _forget_stderr() -> None:
    """Send what the stream still holds nowhere, lest the interpreter try again at its end."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stderr.fileno())


def make_console(*, stderr: bool = False, width: int | None = None, **options: Any) -> Console:
    """Return a Rich console that reads no markup in data and honours NO_COLOR and pipes."""
    return StreamConsole(
        stderr=stderr,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=options.pop("soft_wrap", False),
        **options,
    )


class Talk:
    """A command's voice: `say`, `detail` and `warn` go to stderr, `show` to stdout.

    Args:
        quiet: only warnings are said.
        verbose: details are said too.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.stderr = make_console(stderr=True)
        self.stdout = make_console()

    @property
    def animated(self) -> bool:
        """Whether progress may move: stderr is a terminal and nobody asked for quiet."""
        return self.stderr.is_terminal and not self.stderr.is_dumb_terminal and not self.quiet

    def say(self, text: str) -> None:
        """Say one line, unless quiet."""
        if not self.quiet:
            self.stderr.print(Text(visible(text)), soft_wrap=True)

    def detail(self, text: str) -> None:
        """Say one line only where details were asked for."""
        if self.verbose:
            self.say(text)

    def warn(self, text: str) -> None:
        """Say one line that nobody should miss."""
        self.stderr.print(Text(f"warning: {visible(text)}", style="yellow"), soft_wrap=True)

    def show(self, result: RenderableType, *, soft_wrap: bool = False) -> None:
        """Print a result (a table, a heatmap) on stdout; `soft_wrap` leaves long lines whole."""
        self.stdout.print(result, soft_wrap=soft_wrap)

    def show_json(self, document: object) -> None:
        """Print one JSON document on stdout."""
        sys.stdout.write(json_text(document))


def json_text(document: object) -> str:
    """Return a document as readable JSON, with its last newline."""
    import json

    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
