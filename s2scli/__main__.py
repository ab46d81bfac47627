"""Run the command line: `s2s` and `python -m s2scli`."""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the `s2s` program with UTF-8 streams; SIGTERM and SIGHUP end it cleanly."""
    from s2scli.cli.app import app

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the caller closed it
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123
        getattr(sys, name).reconfigure(encoding="utf-8", errors="replace")
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", None)):
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _exit_on_signal)
    app()


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
