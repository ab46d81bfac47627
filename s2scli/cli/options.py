"""The options that commands share."""

import enum
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import RenderableType
from rich.text import Text

from s2scli.cli.completion import complete_assignment, complete_model, complete_workspace
from s2scli.cli.flags import Options
from s2scli.errors import S2SError, UsageError
from s2scli.files import new_file, require_writable
from s2scli.report.console import Talk, plain_text, visible, write_stdout
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from s2scli.pipeline.workers import Workers

SOME_FAILED = 3
SHARING = "Processes and machines"
PIPE = " | "
SUFFIXES = {
    "": "plain",
    ".txt": "plain",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
    ".svg": "svg",
}
F = TypeVar("F", bound=enum.StrEnum)
Texts = TypeVar("Texts", str, list[str], tuple[str, str], None)


def translate_example(folder: Path, options: str = "") -> str:
    """Return a `translate` command with inputs and outputs that fit the sides of a model.

    It is only a suggestion, so a folder that cannot be read gives the command for text.

    Args:
        folder: the model folder.
        options: more options of the command.
    """
    from s2scli.sides import TEXT, Sound
    from s2scli.tokenizer.tokenizers import read_sides

    try:
        sides = read_sides(folder)
    except S2SError:
        sides = TEXT
    words = f"translate {options}".rstrip()
    to = " -o pictures/" if sides.target else ""
    if sides.source:
        file = "a.wav" if isinstance(sides.source, Sound) else "a.png"
        return f"{words} --files {file}{to}"
    return f'echo "a text"{PIPE}{words}{to}' if to else f"{words} < input.txt"


@dataclass(frozen=True)
class Common:
    """The options of nearly every command: the workspace, JSON output and verbosity."""

    workspace: Workspace
    json: bool
    talk: Talk

    def show(self, document: object, *shown: RenderableType) -> None:
        """Print `document` as JSON with --json, otherwise print `shown`."""
        if self.json:
            self.talk.show_json(document)
            return
        for renderable in shown:
            self.talk.show(renderable)

    def show_summary(self, document: object, *shown: RenderableType) -> None:
        """Show a summary of what a command wrote; with --quiet, only if it is JSON."""
        self.show(document, *(() if self.talk.quiet else shown))

    def write(self, text: str, output: Path | None) -> None:
        """Write a text to a file, or to stdout if `output` is None.

        Raises:
            StorageError: the file cannot be written; an existing file is not changed.
        """
        if output is None:
            write_stdout(text)
            return
        with new_file(output) as file:
            file.write(text.encode())
        self.talk.say(f"wrote {output}")

    def show_or_write(self, output: Path | None, *shown: RenderableType) -> None:
        """Print `shown`, or write it to a file as plain text; lines of text are never broken."""
        if output is not None:
            self.write(plain_text(shown), output)
            return
        for renderable in shown:
            self.talk.show(renderable, soft_wrap=isinstance(renderable, Text))

    def exit_if_stopped(self, number: int, *, restarted: bool) -> None:
        """Exit if the signal `number` stopped the command; 0 is none.

        Args:
            number: the signal.
            restarted: whether --restart was given, which would remove what was saved.
        """
        if number:
            without = " without --restart" * restarted
            self.talk.say(f"saved; rerun the same command{without} to resume")
            raise typer.Exit(128 + number)

    def say_next(self, *commands: str) -> None:
        """Suggest the commands to run next in this workspace."""
        self.talk.say(f"next: {' · '.join(map(self._line, commands))}")

    def _line(self, words: str) -> str:
        """Return the command line for a command; a pipe may come before it."""
        *before, command = words.rpartition(PIPE)
        return "".join([*before, self.workspace.command(command)])


def _remember_debug(context: typer.Context, value: bool) -> bool:
    context.meta["s2s.debug"] = value
    return value


def _folder(path: Path | None) -> Path | None:
    if path and path.exists() and not path.is_dir():
        raise UsageError(f"{path}: is a file, expected a folder")
    return path


def format_option(formats: type[enum.StrEnum], default: str, panel: str | None = None) -> Any:
    """Return the option that chooses the output format."""
    return typer.Option(
        *("-f", "--format"),
        metavar="FORMAT",
        help=f"Output format: {', '.join(formats)}. [default: {default}]",
        rich_help_panel=panel,
    )


def format_of(path: Path, formats: type[F]) -> F:
    """Return the format that belongs to the suffix of a file.

    Raises:
        UsageError: no format has this suffix.
    """
    suffixes = {suffix: name for suffix, name in SUFFIXES.items() if name in set(formats)}
    if path.suffix not in suffixes:
        known = ", ".join(filter(None, suffixes))
        raise UsageError(
            f"-o {path}: unknown suffix {path.suffix!r}; expected one of {known}, or give a format "
            "with -f"
        )
    return formats(suffixes[path.suffix])


def not_stdout(path: Path | None) -> Path | None:
    """Return the file or folder to write, or None for `-`, which is stdout."""
    from s2scli.data.lines import STDIN

    return None if path == STDIN else path


def _place(path: Path | None) -> Path | None:
    """Return the file to write, or None for stdout; refuse it before the work."""
    if place := not_stdout(path):
        require_writable(place)
    return place


def utf8(given: Texts) -> Texts:
    """Return arguments unchanged; refuse those that are not valid UTF-8."""
    texts: Iterable[str] = [given] if isinstance(given, str) else given or ()
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"not UTF-8: {visible(text)}") from error
    return given


_general: Any = functools.partial(typer.Option, rich_help_panel="General")
_engine: Any = functools.partial(typer.Option, rich_help_panel="Engine")
run_option: Any = functools.partial(typer.Option, rich_help_panel="Recipe and run")

_WORKSPACE = _general(
    "-w",
    "--workspace",
    envvar="S2S_WORKSPACE",
    metavar="DIR",
    callback=_folder,
    autocompletion=complete_workspace,
    help="Folder that holds the corpus, the tokenizer, the training run and the model.",
)
OptionalWorkspace = Annotated[Path | None, _WORKSPACE]
JsonOption = Annotated[bool, _general("--json", help="Print JSON on stdout.")]
DeviceOption = Annotated[
    str,
    _engine(
        metavar="DEVICE",
        help="Where to compute: auto (a GPU if there is one), cpu, cuda or cuda:N.",
    ),
]
TagOption = Annotated[
    str,
    typer.Option(
        metavar="TAG",
        help="Put this tag in front of each source of a file, for a model trained with tags (s2s "
        "prepare --tag). Without it, a source may begin with its own tag.",
    ),
]
OverwriteOption = Annotated[
    bool,
    _general("--overwrite", help="Replace data that trained models need, without asking."),
]
SetOption = Annotated[
    list[str] | None,
    run_option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        callback=utf8,
        autocompletion=complete_assignment,
        help="Change a setting of the recipe; repeatable.",
    ),
]
RestartOption = Annotated[
    bool, run_option("--restart", help="Remove the existing run and start a new one.")
]
_MODEL_HELP = "Model folder to use instead of the workspace's."
# not checked here: a training run may be replacing the folder
_model: Any = functools.partial(
    _engine, "-m", "--model", metavar="DIR", readable=False, autocompletion=complete_model
)


class PageFormat(enum.StrEnum):
    """A format for what is shown as text, or as a page."""

    PLAIN = "plain"
    JSON = "json"
    HTML = "html"


PageFormatOption = Annotated[
    PageFormat | None, format_option(PageFormat, "by the suffix of -o, otherwise plain")
]
SentenceArgument = Annotated[
    str,
    typer.Argument(
        metavar="TEXT",
        callback=utf8,
        help="The source sentence; for a model that reads sound or pictures, the path of a file.",
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", callback=_place, help="Write to a file."),
]
ModelOption = Annotated[Path | None, _model(help=_MODEL_HELP)]
ModelsOption = Annotated[
    list[Path] | None,
    _model(
        help=f"{_MODEL_HELP} Repeat for an ensemble, which averages the token probabilities of its "
        "models. They must have the same tokenizer.",
    ),
]


def _talk(
    quiet: Annotated[bool, _general("-q", "--quiet", help="Print only warnings.")] = False,
    verbose: Annotated[bool, _general("-v", "--verbose", help="Print more messages.")] = False,
    debug: Annotated[
        bool,
        _general("--debug", callback=_remember_debug, help="Show the traceback of a failure."),
    ] = False,
) -> Talk:
    return Talk(quiet=quiet, verbose=verbose)


TalkOptions = Annotated[Talk, Options(_talk)]


_dask: Any = functools.partial(
    typer.Option,
    "--dask",
    metavar="ADDRESS",
    help="Work on the workers of this Dask scheduler, such as tcp://host:8786, which have the same "
    "s2s and see the same files. Whoever can connect to the scheduler can run any code on them: "
    "keep it in a network that you trust, or use TLS.",
)
DaskEngineOption = Annotated[str | None, _dask(rich_help_panel="Engine")]


@dataclass(frozen=True)
class WorkersChoice:
    """Who shares the work of a command.

    Attributes:
        count: the number of processes on this machine; None is one for each core.
        dask: the address of a Dask scheduler; None works on this machine.
    """

    count: int | None = None
    dask: str | None = None

    @property
    def given(self) -> bool:
        """Whether one of them was given."""
        return self.count is not None or self.dask is not None

    def workers(self, workspace: Workspace) -> "Workers":
        """Return who runs the tasks of a command on a workspace."""
        if self.dask is not None:
            from s2scli.pipeline.cluster import Cluster

            return Cluster(self.dask, workspace.root)
        from s2scli.pipeline.workers import local_workers

        return local_workers(self.count)


def _workers(
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            rich_help_panel=SHARING,
            metavar="N",
            min=1,
            max=4096,
            help="Share the work between this many processes; by default one for each core. The "
            "result does not depend on it.",
        ),
    ] = None,
    dask: Annotated[str | None, _dask(rich_help_panel=SHARING)] = None,
) -> WorkersChoice:
    if workers is not None and dask is not None:
        raise UsageError("give --workers (processes of this machine) or --dask, not both")
    return WorkersChoice(workers, dask)


WorkersOptions = Annotated[WorkersChoice, Options(_workers)]


def _common(
    *,
    json: JsonOption = False,
    workspace: Annotated[Path, _WORKSPACE] = DEFAULT_WORKSPACE,
    talk: TalkOptions,
) -> Common:
    return Common(Workspace(workspace), json, talk)


CommonOptions = Annotated[Common, Options(_common)]
