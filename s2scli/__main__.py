"""The entry point of `s2s` and `python -m s2scli`."""

import os
import signal
import sys

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
MIN_WIDTH = 20


def main() -> None:
    """Run `s2s` with UTF-8 streams and end it cleanly on SIGINT, SIGTERM or SIGHUP.

    During imports and after the command there is nothing to clean up, so a signal ends the process
    at once, without a traceback.
    """
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    handled = [n for n in numbers if signal.getsignal(n) != signal.SIG_IGN]  # nohup ignores SIGHUP
    for number in handled:
        signal.signal(number, signal.SIG_DFL)

    from typer.main import get_command

    from s2scli.cli.app import app

    command = get_command(app)
    _open_streams()
    _widen_terminal()
    received: list[int] = []
    for number in handled:
        signal.signal(number, lambda number, _: _end(number, received))
    try:
        command()
    except SystemExit as end:  # a library may swallow the first exception and fail on its own
        raise SystemExit(128 + received[0] if received else end.code) from end
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _open_streams() -> None:
    """Reopen standard streams that the caller closed, and make all of them UTF-8.

    A closed stdout is opened read-only, so that writing to it fails instead of losing the output.
    """
    missing = (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))
    for name, access in missing:
        mode = "r" if name == "stdin" else "w"
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, access), mode))
        getattr(sys, name).reconfigure(encoding="utf-8", errors="replace")


def _widen_terminal() -> None:
    """Treat a terminal narrower than MIN_WIDTH as MIN_WIDTH columns wide, so that tables fit."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() else _terminal_width()
    if width < MIN_WIDTH:
        os.environ["COLUMNS"] = str(MIN_WIDTH)


def _terminal_width() -> int:
    """Return the width of the terminal; MIN_WIDTH if there is none or its width is unknown."""
    for descriptor in (0, 1, 2):
        try:
            return os.get_terminal_size(descriptor).columns or MIN_WIDTH
        except OSError:
            continue
    return MIN_WIDTH


def _end(number: int, received: list[int]) -> None:
    """Raise an exception in the command, so that it removes half-written files and ends."""
    received.append(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
