"""The `s2s` program: its commands, and the one place where failures become a line and a status."""

import os
import signal
import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from s2scli import __version__
from s2scli.cli import (
    compare,
    evaluate,
    export,
    generate,
    inspect_attention,
    inspect_corpus,
    inspect_model,
    inspect_recipe,
    inspect_tokenizer,
    inspect_training,
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
        except (Exception, KeyboardInterrupt) as error:  # the last line of defence
            if _is_typers(error):
                raise
            failure = error
        _settle_stdout()
        if ctx.meta.get("s2s.debug"):
            raise failure
        status, message = _account(failure)
        if message:
            line = Text(visible(message.replace("\n", " ")), style="red")
            make_console(stderr=True).print(line, soft_wrap=True)
        raise typer.Exit(status)


def _account(failure: Exception | KeyboardInterrupt) -> tuple[int, str]:
    """Return the exit status of a failure, and the line that tells of it."""
    match failure:
        case S2SError():
            return failure.exit_status, f"error: {failure}"
        case KeyboardInterrupt():
            return INTERRUPTED, "interrupted"
        case BrokenPipeError():
            return BROKEN_PIPE, ""
        case OSError():
            where = f"{failure.filename}: " if failure.filename else ""
            return STORAGE_FAILED, f"error: {where}{failure.strerror or failure}"
    return 1, (
        f"error: {type(failure).__name__}: {failure} (this is a bug in s2s; "
        "run the same command with --debug and report what it prints)"
    )


def _is_typers(error: BaseException) -> bool:
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
    """Turn a file of pairs into a sequence-to-sequence model, and use it as a filter.

    s2s prepare corpus.tsv; s2s train; s2s translate < input.txt
    """


inspect = typer.Typer(
    cls=HelpfulGroup,
    no_args_is_help=True,
    help="Look at the corpus, the tokenizer, the model, its training, its attention, a recipe.",
)
add_commands(
    app, prepare, train_tokenizer, train, evaluate, compare, translate, score, export, generate
)
app.add_typer(inspect, name="inspect")
add_commands(inspect, inspect_attention, inspect_corpus, inspect_tokenizer)
add_commands(inspect, inspect_model, inspect_training, inspect_recipe)
