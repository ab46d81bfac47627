"""The output of a command: messages on stderr, results on stdout.

Imports Rich only when a console is made, so that `--help` is fast.
"""

import io
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from s2scli.report.streams import stdout_errors

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\udc80-\udcff]")

MAX_SHOWN = 200
FILE_WIDTH = 160


def visible(text: str) -> str:
    r"""Return `text` with control and bidi-override characters spelled out (`\x1b` as `␛`).

    A byte of a file name that is not UTF-8 becomes `\xe4`. Text of a corpus must pass through
    this before it is shown on a terminal.
    """
    return CONTROL.sub(_spelled, text)


def shortened(text: str) -> str:
    """Return `text`, cut with an ellipsis if it is longer than `MAX_SHOWN` characters."""
    text = without_content(text)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def without_content(cell: str) -> str:
    """Return a cell, or the kind and the size of one that holds a file (a `data:` URI)."""
    head, comma, content = cell.partition(";base64,")
    if not (head.startswith("data:") and comma):
        return cell
    return f"{head}… ({len(content) * 3 // 4:,} bytes)"


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code >= 0xDC80:  # a surrogate, which stands for a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return "␡" if code == 0x7F else f"\\u{code:04x}"


def write_stdout(text: str) -> None:
    """Write text to stdout unchanged."""
    with stdout_errors():
        sys.stdout.write(text)
        sys.stdout.flush()


def make_console(*, stderr: bool = False, width: int | None = None, **options: Any) -> "Console":
    """Return a Rich console that interprets no markup and respects NO_COLOR and pipes."""
    from s2scli.report.stream_console import StreamConsole

    return StreamConsole(
        stderr=stderr,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=options.pop("soft_wrap", False),
        **options,
    )


def plain_text(shown: "Iterable[RenderableType]") -> str:
    """Return results as the text of a file, without colours."""
    written = io.StringIO()
    console = make_console(file=written, width=FILE_WIDTH, no_color=True, soft_wrap=True)
    for renderable in shown:
        console.print(renderable)
    return written.getvalue()


class Talk:
    """A command's messages and results: `say`, `detail` and `warn` on stderr, `show` on stdout.

    Args:
        quiet: print warnings only.
        verbose: print details too.
        interactive: whether `confirm` may ask; if not, the answer is no.
    """

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, interactive: bool = True
    ) -> None:
        self.quiet, self.verbose, self.interactive = quiet, verbose, interactive
        self.stderr = make_console(stderr=True)
        self.stdout = make_console()

    @classmethod
    def silent(cls) -> "Talk":
        """Return a talk that prints nothing, for all but one of the processes of a run."""
        talk = cls(quiet=True, interactive=False)
        talk.stderr.quiet = talk.stdout.quiet = True
        return talk

    @property
    def animated(self) -> bool:
        """Whether to animate progress: stderr is a terminal and `quiet` is off."""
        return self.stderr.is_terminal and not self.stderr.is_dumb_terminal and not self.quiet

    def say(self, text: str) -> None:
        """Print a message, unless `quiet`."""
        if not self.quiet:
            self._print(visible(text))

    def detail(self, text: str) -> None:
        """Print a message if `verbose`."""
        if self.verbose:
            self.say(text)

    def warn(self, text: str) -> None:
        """Print a warning, even if `quiet`."""
        self._print(f"warning: {visible(text)}", "yellow")

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question, even if `quiet`; without a terminal the answer is no."""
        if not (self.interactive and sys.stdin.isatty() and self.stderr.is_terminal):
            return False
        self._print(visible(f"{question} [y/N] "), end="")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _print(self, text: str, style: str | None = None, end: str = "\n") -> None:
        self.stderr.print(text, style=style, end=end, soft_wrap=True)

    def show(self, result: "RenderableType", *, soft_wrap: bool = False) -> None:
        """Print a result (a table, a heatmap) on stdout; `soft_wrap` keeps long lines whole."""
        self.stdout.print(result, soft_wrap=soft_wrap)

    def show_json(self, document: object) -> None:
        """Print one JSON document on stdout."""
        if not self.stdout.quiet:
            write_stdout(json_text(document))


def json_text(document: object) -> str:
    """Return a document as indented JSON that ends with a newline."""
    import json

    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
