"""The options that commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from s2scli.cli.flags import Options
from s2scli.errors import UsageError
from s2scli.report.console import Talk
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

GENERAL, ENGINE = "General", "Engine"
SOME_FAILED = 3


@dataclass(frozen=True)
class Common:
    """What nearly every command is told.

    Attributes:
        workspace: where the corpus, the tokenizer, the training run and the model are.
        json: whether the result is printed as JSON.
        talk: how much is said.
    """

    workspace: Workspace
    json: bool
    talk: Talk

    def say_next(self, *commands: str) -> None:
        """Say what may come next, as commands for the same workspace."""
        self.talk.say(f"next: {' · '.join(map(self.workspace.command, commands))}")


def _remember_debug(context: typer.Context, value: bool) -> bool:
    context.meta["s2s.debug"] = value
    return value


def _folder(path: Path | None) -> Path | None:
    if path and path.exists() and not path.is_dir():
        raise UsageError(f"{path}: is a file, expected a folder")
    return path


_WORKSPACE = typer.Option(
    "-w",
    "--workspace",
    envvar="S2S_WORKSPACE",
    metavar="DIR",
    callback=_folder,
    help="Folder that holds the corpus, the tokenizer, the training run and the model.",
    rich_help_panel=GENERAL,
)
OptionalWorkspace = Annotated[Path | None, _WORKSPACE]
JSON_HELP = "Print one JSON document on stdout instead of tables."
JsonOption = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="Where to compute: auto (a GPU where there is one), cpu, cuda or cuda:N.",
        rich_help_panel=ENGINE,
    ),
]
Int8Option = Annotated[
    bool,
    typer.Option(
        "--int8",
        help="Multiply with 8-bit weights, in PyTorch on a CPU: faster, and the outputs are nearly "
        "the same.",
        rich_help_panel=ENGINE,
    ),
]
_MODEL_HELP = "Model folder to use instead of the workspace's."
ModelOption = Annotated[
    Path | None,
    typer.Option("-m", "--model", metavar="DIR", help=_MODEL_HELP, rich_help_panel=ENGINE),
]
ModelsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "-m",
        "--model",
        metavar="DIR",
        help=f"{_MODEL_HELP} Repeat it for an ensemble: the models may differ in everything but "
        "the tokenizer, and the probability of each token is the mean of theirs.",
        rich_help_panel=ENGINE,
    ),
]


def _talk(
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", help="Say nothing but warnings.", rich_help_panel=GENERAL),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say more.", rich_help_panel=GENERAL)
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            callback=_remember_debug,
            help="Show the traceback of a failure.",
            rich_help_panel=GENERAL,
        ),
    ] = False,
) -> Talk:
    return Talk(quiet=quiet, verbose=verbose)


TalkOptions = Annotated[Talk, Options(_talk)]


def common(json_help: str = JSON_HELP) -> Options:
    """Return the options of `Common`, as one parameter of a command."""

    def collect(
        *,
        json: Annotated[bool, typer.Option("--json", help=json_help)] = False,
        workspace: Annotated[Path, _WORKSPACE] = DEFAULT_WORKSPACE,
        talk: TalkOptions,
    ) -> Common:
        return Common(Workspace(workspace), json, talk)

    return Options(collect)


CommonOptions = Annotated[Common, common()]
