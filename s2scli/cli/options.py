"""Options that every command takes, and flags made from declared settings."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from s2scli.report.console import Talk
from s2scli.settings import Settings, Tree, default_of


def _remember_debug(context: typer.Context, value: bool) -> bool:
    context.meta["s2s.debug"] = value
    return value


WorkspaceOption = Annotated[
    Path,
    typer.Option(
        "-w",
        "--workspace",
        envvar="S2S_WORKSPACE",
        metavar="DIR",
        help="Folder that holds the corpus, the tokenizer, the training run and the model.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout instead of tables.")
]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but warnings.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")]
DebugOption = Annotated[
    bool, typer.Option("--debug", callback=_remember_debug, help="Show the traceback of a failure.")
]
DeviceOption = Annotated[
    str,
    typer.Option("--device", help="Where to compute: auto (a GPU where there is one), cpu, cuda."),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "-m",
        "--model",
        metavar="DIR",
        help="Model folder to use instead of the workspace's.",
    ),
]

DEFAULT_WORKSPACE = Path("workspace")


def flag(group: type[Settings], name: str, *names: str, default: str | None = None) -> Any:
    """Return the Typer option of one declared setting; its help and default come from there.

    The command's own default is None, which means "not given": `given` leaves it out.

    Args:
        group: the settings class that declares it.
        name: the setting's name; the flag is `--name` unless `names` says otherwise.
        names: the flags' spellings.
        default: the default to show, where it is not the declared one.
    """
    declared = default_of(group, name)
    shown = default or (None if declared is None else str(declared))
    help = group.model_fields[name].description or ""
    return typer.Option(
        *(names or (f"--{name.replace('_', '-')}",)),
        # the backslash keeps Rich from reading the brackets as markup
        help=help + (f" \\[default: {shown}]" if shown is not None else ""),
        show_default=False,
    )


def given(**values: Any) -> Tree:
    """Return the flags the user gave, as a tree that settings are loaded from."""
    return {name: value for name, value in values.items() if value is not None}


def say_next(talk: Talk, workspace: Path, *commands: str) -> None:
    """Say what may come next, as commands for the same workspace."""
    option = "" if workspace == DEFAULT_WORKSPACE else f" -w {shlex.quote(str(workspace))}"
    words = (
        f"s2s {name}{option}{' ' + rest if rest else ''}"
        for name, _, rest in (command.partition(" ") for command in commands)
    )
    talk.say(f"next: {' · '.join(words)}")
