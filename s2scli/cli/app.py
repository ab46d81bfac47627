"""The `s2s` program: its commands, and the one place where failures become a line and a status."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer
from rich.text import Text

from s2scli import __version__
from s2scli.cli import (
    compare,
    evaluate,
    export,
    generate,
    inspect,
    prepare,
    score,
    train,
    train_tokenizer,
    translate,
)
from s2scli.cli.help import HelpfulGroup, add_commands
from s2scli.errors import S2SError
from s2scli.report.console import make_console, visible

INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 141
STORAGE_FAILED = 74


class Commands(HelpfulGroup):
    """A group of commands whose failures end as one red line and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; report what it raises."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except S2SError as error:
            status, message = error.exit_status, f"error: {error}"
            failure: BaseException = error
        except KeyboardInterrupt as error:
            status, message, failure = INTERRUPTED, "interrupted", error
        except BrokenPipeError as error:
            status, message, failure = BROKEN_PIPE, "", error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            status, message = STORAGE_FAILED, f"error: {where}{error.strerror or error}"
            failure = error
        except Exception as error:  # the last line of defence
            if _is_typers(error):
                raise
            status, failure = 1, error
            message = (
                f"error: {type(error).__name__}: {error} (this is a bug in s2s; "
                "run the same command with --debug and report what it prints)"
            )
        _settle_stdout()
        if ctx.meta.get("s2s.debug"):
            raise failure
        if message:
            line = Text(visible(message.replace("\n", " ")), style="red")
            make_console(stderr=True).print(line, soft_wrap=True)
        raise typer.Exit(status)


def _is_typers(error: Exception) -> bool:
    """Whether `error` is Typer's own way to exit or to complain about the command line."""
    return hasattr(error, "exit_code") or isinstance(error, typer.Abort)


def _settle_stdout() -> None:
    """Write what stdout still holds; if it cannot, forget it, lest the interpreter try again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=Commands,
    name="s2s",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn a file of pairs into a sequence-to-sequence model, and use it as a filter.\n\n"
    "s2s prepare corpus.tsv; s2s train; s2s translate < input.txt",
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"s2s {__version__}")
        raise typer.Exit


@app.callback()
def s2s(
    version: Annotated[
        bool,
        typer.Option(
            "-V", "--version", callback=_show_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Turn a file of pairs into a sequence-to-sequence model, and use it as a filter."""


add_commands(
    app, prepare, train_tokenizer, train, evaluate, compare, translate, score, export, generate
)
app.add_typer(inspect.app, name="inspect")


def main() -> None:
    """Run the program as a process: UTF-8 streams, and SIGTERM and SIGHUP that clean up."""
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
