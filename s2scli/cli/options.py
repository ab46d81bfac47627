"""Options that every command takes, and flags made from declared settings."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from s2scli.errors import ConfigError, UsageError
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.settings import Settings, Tree, default_of, load_settings
from s2scli.workspace import Workspace

COMMAND_LINE = "command line"
SETTING_NAME = re.compile(r"^\w+(?=:)|(?<!['\w])[a-z]+(?:_[a-z]+)+")

S = TypeVar("S", bound=Settings)


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
)
WorkspaceOption = Annotated[Path, _WORKSPACE]
OptionalWorkspace = Annotated[Path | None, _WORKSPACE]
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
Int8Option = Annotated[
    bool,
    typer.Option(
        "--int8",
        help="Multiply by weights of 8 bits, in PyTorch on a processor: quicker, and the outputs "
        "are nearly the same.",
    ),
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
ModelsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "-m",
        "--model",
        metavar="DIR",
        help="Model folder to use instead of the workspace's. Given more than once: an ensemble "
        "of them, whatever they are made of, as long as they share a tokenizer; the probability "
        "of each token is the mean of theirs.",
    ),
]


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


def load_flags(group: type[S], flags: Mapping[str, Any]) -> S:
    """Return the settings that the flags given stand for.

    Raises:
        UsageError: a flag has a wrong value.
    """
    with flag_errors():
        return load_settings(group, flags, COMMAND_LINE)


@contextlib.contextmanager
def flag_errors() -> Iterator[None]:
    """Turn a complaint about a setting of the command line into one about its flag.

    Raises:
        UsageError: a flag has a wrong value.
    """
    try:
        yield
    except ConfigError as error:
        where, _, fault = str(error).partition(": ")
        if where != COMMAND_LINE:
            raise
        fault = re.sub(r"^\w+: value error, ", "", fault)  # of several settings together
        named = SETTING_NAME.sub(lambda name: "--" + name.group().replace("_", "-"), fault)
        raise UsageError(named) from error


def refuse_unread(asked: Tree, search: SearchSettings, **spellings: str) -> None:
    """Refuse a flag of the search that this kind of search never reads.

    Args:
        asked: the flags given.
        search: the settings that come of them.
        spellings: of flags that are not called as their settings are.

    Raises:
        UsageError: there is one.
    """
    for name in sorted(search.unread & asked.keys()):
        spelled = spellings.get(name) or f"--{name.replace('_', '-')}"
        if search.sample:
            raise UsageError(f"{spelled}: of no use with --sample; leave one of them out")
        raise UsageError(f"{spelled} is for --sample: give that too")


def say_next(talk: Talk, workspace: Path, *commands: str) -> None:
    """Say what may come next, as commands for the same workspace."""
    talk.say(f"next: {' · '.join(map(Workspace(workspace).command, commands))}")
