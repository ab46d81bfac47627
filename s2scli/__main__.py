"""The entry point of `s2s` and `python -m s2scli`."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Mapping
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
IMPORT_SECONDS = 0.05  # between two looks whether an import has ended
MIN_WIDTH = 20
START_OBJECTS = 400_000  # more than importing PyTorch leaves


def main() -> None:
    """Run `s2s` with UTF-8 streams and end it cleanly on SIGINT, SIGTERM or SIGHUP.

    During imports and after the command there is nothing to clean up, so a signal ends the process
    at once, without a traceback.
    """
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    handled = [n for n in numbers if signal.getsignal(n) != signal.SIG_IGN]  # nohup ignores SIGHUP
    for number in handled:
        signal.signal(number, signal.SIG_DFL)
    _put_off_collection()

    from typer.main import get_command

    from s2scli.cli.app import app

    command = get_command(app)
    _open_streams()
    _widen_terminal()
    received: list[int] = []
    for number in handled:
        signal.signal(number, lambda number, frame: _end(number, frame, received))
    try:
        command()
    except SystemExit as end:  # a library may swallow the first exception and fail on its own
        raise SystemExit(128 + received[0] if received else end.code) from end
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _put_off_collection() -> None:
    """Look for garbage when so many objects exist, and never again among them.

    Modules stay as long as the process, so searching them for garbage takes time and finds little.
    """
    usual = gc.get_threshold()

    def end(phase: str, found: Mapping[str, int]) -> None:
        if phase == "stop":
            gc.callbacks.remove(end)
            gc.set_threshold(*usual)
            gc.freeze()

    gc.callbacks.append(end)
    gc.set_threshold(START_OBJECTS)


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


def _end(number: int, frame: FrameType | None, received: list[int]) -> None:
    """Raise an exception in the command, so that it removes half-written files and ends.

    During an import it waits, because a C++ library turns an exception in its import into an abort.
    A command that is done before the wait is over still ends with the status of the signal.
    """
    if number not in received:
        received.append(number)
    if _is_import(frame) and hasattr(signal, "pthread_kill"):
        main_thread = threading.main_thread().ident
        later = threading.Timer(IMPORT_SECONDS, signal.pthread_kill, (main_thread, number))
        later.daemon = True
        later.start()
        return
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _is_import(frame: FrameType | None) -> bool:
    """Return whether a frame runs, directly or not, for an import statement."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    main()
