"""The `s2s` program: its commands, and how a failure is reported."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from s2scli import __version__
from s2scli.cli.help import HelpfulGroup
from s2scli.errors import S2SError, StorageError, UsageError
from s2scli.memory import explained
from s2scli.report.console import make_console, visible
from s2scli.report.streams import stdout_errors

INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 141
STORAGE_FAILED = 74
# The first paragraph of each command's docstring, so that the help need not import the commands.
COMMANDS = {
    "prepare": "Read, clean, deduplicate and split a corpus, and account for every row.",
    "train-tokenizer": "Train the tokenizer on a prepared corpus, and encode the corpus with it.",
    "train": "Train a model, validate it, and keep the best.",
    "evaluate": "Score a model on a split of the corpus or on files, or score existing outputs.",
    "compare": "Train several recipes on one corpus with the same budget, "
    "and rank them by test score.",
    "tune": "Find better settings for a recipe: train it many times, and "
    "write the best as a recipe.",
    "translate": "Translate each input line into one output line, in order.",
    "augment": "Make rows of a corpus from text that has no translation, from a model, and from "
    "noise.",
    "rerank": "Choose again among the hypotheses of an n-best list, with the scores of more "
    "models.",
    "score": "Score pairs: write the log-probability of each target (in "
    "nats), one per line, in order.",
    "export": "Export a Transformer for CTranslate2, ONNX Runtime or HuggingFace Transformers.",
    "import": "Import a Transformer of another program, with its tokenizer, as a model folder.",
    "generate": "Generate sentences, one per line, or pictures, from latent vectors.",
    "report": "Write one page about a workspace: corpus, model, training, scores, errors and "
    "attention.",
    "serve": "Serve models to browsers and to clients of LibreTranslate, with a page to try them "
    "in.",
    "doctor": "Check the installation and the files of a workspace.",
    "verify": "Check artifacts completely: their files, hashes and contents.",
}
INSPECTIONS = {
    "attention": "Show where the decoder looks while it translates a sentence.",
    "alignment": "Find the layer and the step whose attention aligns words best.",
    "search": "Show what the beam search does with a sentence, as a tree.",
    "saliency": "Show how much each source token contributed to each target token, and test it by "
    "deletion.",
    "errors": "Show the worst outputs of a split beside their references, and where the mistakes "
    "are.",
    "neighbours": "Show the training sources nearest to a sentence, to see where an output comes "
    "from.",
    "memorised": "Test which training rows a model repeats when given their source and their "
    "beginning.",
    "corpus": "Show how many rows were read and kept, the splits, the text "
    "lengths, and sample rows.",
    "tokenizer": "Show the pieces and ids of a text, and whether decoding them restores it.",
    "model": "Show a model's parameters by part, its origin, and the "
    "non-default settings of its recipe.",
    "training": "Plot the loss and the scores of a training run, and say if "
    "more training is likely to help.",
    "recipe": "List the recipes, or show the non-default settings of one; "
    "-v shows all its settings.",
}


class Commands(HelpfulGroup):
    """A group of commands whose failures end as one red line and an exit status."""

    summaries = COMMANDS

    def make_context(
        self, info_name: str | None, args: list[str], *more: Any, **options: Any
    ) -> Any:
        """Parse the arguments and report a failure. Parsing `--help` prints the help."""
        given = list(args)
        with _reported(None):
            context = super().make_context(info_name, args, *more, **options)
        context.meta["s2s.arguments"] = given
        return context

    def invoke(self, ctx: Any) -> Any:
        """Run the command; report what it raises."""
        with _reported(ctx):
            return super().invoke(ctx)


@contextlib.contextmanager
def _reported(ctx: Any) -> Iterator[None]:
    """Report an error in the block as one line, and exit with its status."""
    failure: Exception | KeyboardInterrupt | None = None
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - reports every failure
        failure = error
    if failure is None or _is_typers(failure):
        failure = _lost_output() or failure
    if failure is None:
        return
    if _is_typers(failure):
        raise failure
    _settle_stdout()
    if ctx and ctx.meta.get("s2s.debug"):
        raise failure
    status, message = _account(explained(failure, ctx.invoked_subcommand if ctx else "s2s"))
    if message:
        line = visible(message.replace("\n", " "))
        make_console(stderr=True).print(line, style="red", soft_wrap=True)
    raise typer.Exit(status)


def _account(failure: BaseException) -> tuple[int, str]:
    """Return the exit status and the message of a failure."""
    match failure:
        case S2SError():
            # another process of the run has reported an error without a message
            return failure.exit_status, f"error: {failure}" if str(failure) else ""
        case KeyboardInterrupt():
            return INTERRUPTED, "interrupted"
        case ImportError() if "more than once per process" in str(failure):
            return INTERRUPTED, "interrupted"  # torch hides an interrupted import of NumPy
        case BrokenPipeError():
            return BROKEN_PIPE, ""
        case UnicodeEncodeError():  # an argument that is not UTF-8
            found = visible(failure.object)
            return UsageError.exit_status, f"error: not UTF-8: {found:.200}"
        case OSError():
            where = f"{failure.filename}: " if failure.filename else ""
            return STORAGE_FAILED, f"error: {where}{failure.strerror or failure}"
    return 1, (
        f"error: {type(failure).__name__}: {failure} (this is a bug in s2s; "
        "run the same command with --debug and report what it prints)"
    )


def _is_typers(error: BaseException) -> bool:
    """Return whether `error` is an exit or a usage error of Typer."""
    return hasattr(error, "exit_code") or isinstance(error, typer.Abort)


def _lost_output() -> Exception | None:
    """Flush stdout; return the error if that fails."""
    try:
        with stdout_errors():
            sys.stdout.flush()
    except (BrokenPipeError, StorageError) as error:
        return error
    return None


def _settle_stdout() -> None:
    """Flush stdout; if that fails, discard its buffer, or Python would flush it again at exit."""
    if _lost_output():
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
        make_console().print(f"s2s {__version__}")
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
    """Train a sequence-to-sequence model on a file of pairs, and translate with it.

    s2s prepare corpus.tsv; s2s train; s2s translate < input.txt
    """


class Inspections(HelpfulGroup):
    """The commands of `s2s inspect`."""

    summaries = INSPECTIONS
    prefix = "inspect_"


inspect = typer.Typer(
    cls=Inspections,
    no_args_is_help=True,
    help="Show the corpus, the tokenizer, a model, its training, what it does with a sentence, or "
    "a recipe.",
)
app.add_typer(inspect, name="inspect")
