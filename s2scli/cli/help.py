"""How commands are added to the program, and their help: options in panels, within the width."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import typer
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from s2scli.cli.flags import expand
from s2scli.cli.options import GENERAL
from s2scli.report.console import make_console

INPUT_AND_OUTPUT = "Input and output"
NAMES_WIDTH = 28

Row = tuple[str, str]


class PanelHelp:
    """Shows a command's help: its usage, its text, and a panel for each kind of option."""

    def format_help(self: Any, ctx: Any, formatter: Any) -> None:
        """Print the help; Click asks for it."""
        console = make_console()
        first, *paragraphs = (self.help or "").split("\n\n")
        text = [self.get_usage(ctx).strip(), first.replace("\n", " "), *paragraphs]
        console.print(Padding(Text("\n\n".join(text)), 1))
        panels: dict[str, list[Row]] = {}
        for title, row in (*_option_rows(self, ctx), *_command_rows(self, ctx)):
            panels.setdefault(title, []).append(row)
        widest = max(len(names) for rows in panels.values() for names, _ in rows)
        for title in sorted(panels, key=GENERAL.__eq__):  # the general ones last
            table = Table.grid(padding=(0, 2, 0, 0))
            table.add_column(style="cyan", width=min(widest, NAMES_WIDTH, console.width // 2))
            for names, help in panels[title]:
                shown = Text(help)
                shown.highlight_regex(r"\[[^]]*\]$", "dim")
                table.add_row(names, shown)
            console.print(Panel(table, title=title, title_align="left", border_style="dim"))


def _option_rows(command: Any, ctx: Any) -> Iterator[tuple[str, Row]]:
    """Yield the panel, the names and the help of each option and argument."""
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)  # None: hidden
        panel = getattr(parameter, "rich_help_panel", None)
        if record and parameter.param_type_name == "argument":
            yield panel or INPUT_AND_OUTPUT, (parameter.get_usage_pieces(ctx)[0], record[1])
        elif record:
            # eager are --help, --version and what Typer adds for completion
            yield panel or (GENERAL if parameter.is_eager else INPUT_AND_OUTPUT), record


def _command_rows(group: Any, ctx: Any) -> Iterator[tuple[str, Row]]:
    """Yield the name and the first paragraph of the help of each command of a group."""
    for name, command in getattr(group, "commands", {}).items():
        yield "Commands", (name, (command.help or "").partition("\n\n")[0].replace("\n", " "))


class HelpfulCommand(PanelHelp, TyperCommand):
    """A command with its options in panels."""


class HelpfulGroup(PanelHelp, TyperGroup):
    """A group of commands, with their texts and its options in panels."""


def add_commands(app: typer.Typer, *modules: ModuleType) -> None:
    """Add the `command` of each module, called as the module is, but for `inspect_`."""
    for module in modules:
        name = module.__name__.rpartition(".")[2].removeprefix("inspect_").replace("_", "-")
        app.command(name, cls=HelpfulCommand)(expand(module.command))
