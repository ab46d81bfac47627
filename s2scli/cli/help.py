"""The help of commands, with options in panels; groups that import their commands lazily."""

import difflib
import importlib
import keyword
import re
import shutil
from collections import UserDict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from s2scli.memory import require_address_space
from s2scli.report.console import write_stdout
from s2scli.report.panels import panels_text, paragraphs_text, shows_colours

INPUT_AND_OUTPUT, GENERAL = "Input and output", "General"

Row = tuple[str, str]


class PanelHelp:
    """Shows a command's help: its usage, its text, and its options in panels."""

    def format_help(self: Any, ctx: Any, formatter: Any) -> None:
        """Print the help; called by Click."""
        text = [_plain(self.get_usage(ctx)), *map(_joined, (self.help or "").split("\n\n"))]
        width = shutil.get_terminal_size().columns
        panels = panels_text(panels_of(self, ctx), width, colours=shows_colours())
        write_stdout(paragraphs_text(text, width) + panels)


def panels_of(command: Any, ctx: Any) -> dict[str, list[Row]]:
    """Return the options, arguments and commands of a command by panel, the general ones last.

    Each has its names and its help.
    """
    panels: dict[str, list[Row]] = {}
    for title, row in (*_option_rows(command, ctx), *_command_rows(command, ctx)):
        panels.setdefault(title, []).append(row)
    return {title: panels[title] for title in sorted(panels, key=GENERAL.__eq__)}


def _joined(paragraph: str) -> str:
    """Join the lines of a paragraph; an example keeps its line breaks."""
    return paragraph if paragraph.startswith("s2s ") else paragraph.replace("\n", " ")


def _plain(usage: str) -> str:
    """Remove the braces that Typer puts around required arguments."""
    return re.sub(r"[{}]", "", usage)


def _option_rows(command: Any, ctx: Any) -> Iterator[tuple[str, Row]]:
    """Yield the panel of each option and argument, with its names and help."""
    for parameter in command.get_params(ctx):
        if not (record := parameter.get_help_record(ctx)):
            continue  # hidden
        names = re.sub(r"<(\w+).*>", _metavar, record[0])
        if parameter.param_type_name == "argument":
            names = _plain(parameter.get_usage_pieces(ctx)[0])
        general = parameter.name == "help" or isinstance(command, TyperGroup)
        panel = getattr(parameter, "rich_help_panel", None)
        yield (
            panel or (GENERAL if general else INPUT_AND_OUTPUT),
            (names, re.sub(r"  \\?\[", " [", record[1])),
        )


def _metavar(type_name: re.Match[str]) -> str:
    """Return INT for `<int>` and `<int range>`, FILE for `<path>`."""
    return type_name[1].upper().replace("PATH", "FILE")


def _command_rows(group: Any, ctx: Any) -> Iterator[tuple[str, Row]]:
    """Yield the name and the summary of each command of a group."""
    summaries = getattr(group, "summaries", {})
    for name in getattr(group, "commands", ()):
        yield "Commands", (name, summaries.get(name) or summary_of(group.commands[name]))


def summary_of(command: Any) -> str:
    """Return the first paragraph of a command's help, as one line."""
    return str(command.help or "").partition("\n\n")[0].replace("\n", " ")


class HelpfulOptions(PanelHelp):
    """Adds a suggestion to the error of an unknown option."""

    def parse_args(self: Any, ctx: Any, args: list[str]) -> Any:
        """Parse the arguments; suggest a replacement for an unknown option."""
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc]
        except Exception as error:
            if hasattr(error, "possibilities"):  # Typer's error of an unknown option
                unknown: Any = error
                unknown.possibilities = None
                unknown.message += _advice(unknown.option_name, ctx)
            raise


def _advice(unknown: str, ctx: Any) -> str:
    """Return the suggestion for an unknown option, as the end of its message."""
    from s2scli.cli.advice import advise

    own = _flags_of(ctx.command, ctx)
    advice = advise(unknown, own, _flags_of_others(ctx.find_root()))
    if advice:
        return f"; {advice}"
    near = difflib.get_close_matches(unknown.strip("-"), [flag.strip("-") for flag in own])
    return f" (Possible options: {', '.join(f'--{name}' for name in near)})" if near else ""


def _flags_of(command: Any, ctx: Any) -> list[str]:
    """Return the long spellings of a command's options."""
    options = command.get_params(ctx)
    return [
        flag
        for option in options
        for flag in (*option.opts, *option.secondary_opts)
        if flag.startswith("--")
    ]


def _flags_of_others(root: Any) -> dict[str, list[str]]:
    """Map each flag of the program to the commands that have it."""
    commands: dict[str, list[str]] = {}
    for words, command in all_commands(root.command, "s2s"):
        for flag in _flags_of(command, root):
            commands.setdefault(flag, []).append(words)
    return commands


def all_commands(group: Any, words: str) -> Iterator[tuple[str, Any]]:
    """Yield the full name (such as `s2s inspect model`) and the command of each one in a group."""
    for name, command in getattr(group, "commands", {}).items():
        yield f"{words} {name}", command
        yield from all_commands(command, f"{words} {name}")


class HelpfulCommand(HelpfulOptions, TyperCommand):
    """A command with its options in panels."""

    def invoke(self, ctx: Any) -> Any:
        """Check that there is enough memory to load the libraries, and run the command."""
        require_address_space(ctx.info_name)
        return super().invoke(ctx)


class HelpfulGroup(HelpfulOptions, TyperGroup):
    """A group of commands, with their summaries and its options in panels.

    The help of the group is shown without importing its commands.

    Attributes:
        summaries: the first paragraph of the help of each command that is a module, by name.
        prefix: the beginning of the names of these modules.
    """

    summaries: ClassVar[Mapping[str, str]] = MappingProxyType({})
    prefix: ClassVar[str] = ""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = LazyCommands(self.prefix, self.summaries, self.commands)


class LazyCommands(UserDict[str, Any]):
    """The commands of a group by name; the module of a command is imported on first access."""

    def __init__(self, prefix: str, names: Iterable[str], commands: Mapping[str, Any]) -> None:
        """Store the names of the commands to import, and the commands that exist already."""
        super().__init__({**dict.fromkeys(names), **commands})
        self.prefix = prefix

    def __getitem__(self, name: str) -> Any:
        """Return the command of this name."""
        if self.data[name] is None:
            module = f"{self.prefix}{name.replace('-', '_')}"
            self.data[name] = _import_command(name, module + "_" * keyword.iskeyword(module))
        return self.data[name]


def _import_command(name: str, module: str) -> Any:
    """Import a command from its module in this package."""
    from s2scli.cli.flags import expand

    program = typer.Typer(add_completion=False)
    command = importlib.import_module(f"s2scli.cli.{module}").command
    program.command(name, cls=HelpfulCommand)(expand(command))
    return typer.main.get_command(program)
