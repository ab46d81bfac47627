"""Run the command line: `s2s` and `python -m s2scli`."""

import os
import signal
import sys

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
MIN_WIDTH = 20


def main() -> None:
    """Run the `s2s` program with UTF-8 streams; SIGINT, SIGTERM and SIGHUP end it cleanly.

    While the program is imported, and when the command has ended, there is nothing to clean up,
    and a signal ends the process without a traceback.
    """
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    heeded = [n for n in numbers if signal.getsignal(n) != signal.SIG_IGN]  # as nohup has it
    for number in heeded:
        signal.signal(number, signal.SIG_DFL)

    from typer.main import get_command

    from s2scli.cli.app import app

    command = get_command(app)
    _open_streams()
    _widen_terminal()
    for number in heeded:
        signal.signal(number, _end)
    try:
        command()
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


def _open_streams() -> None:
    """Open the standard streams that the caller closed, and let all of them be UTF-8.

    What is written to a closed stdout is lost, which must not pass unnoticed: writing fails.
    """
    missing = (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))
    for name, access in missing:
        mode = "r" if name == "stdin" else "w"
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, access), mode))
        getattr(sys, name).reconfigure(encoding="utf-8", errors="replace")


def _widen_terminal() -> None:
    """Treat a terminal of less than MIN_WIDTH columns as one of MIN_WIDTH, as no table fits."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() else _terminal_width()
    if width < MIN_WIDTH:
        os.environ["COLUMNS"] = str(MIN_WIDTH)


def _terminal_width() -> int:
    """Return the width of the terminal; MIN_WIDTH where there is none, or it is unknown."""
    for descriptor in (0, 1, 2):
        try:
            return os.get_terminal_size(descriptor).columns or MIN_WIDTH
        except OSError:
            continue
    return MIN_WIDTH


def _end(number: int, frame: object) -> None:
    """Interrupt the command, or exit, so that what is half-written is removed."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
