"""Panels: titled lists of terms with their explanations."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

WIDTH = 28  # the maximum width of the terms


def print_panels(console: Console, panels: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Print panels whose columns line up.

    Args:
        console: where to print them.
        panels: pairs (term, explanation), by the title of their panel; text in brackets at the
            end of an explanation is dimmed.
    """
    widest = max(len(term) for rows in panels.values() for term, _ in rows)
    for title, rows in panels.items():
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="cyan", width=min(widest, WIDTH, console.width // 2))
        for term, explanation in rows:
            shown = Text(explanation)
            shown.highlight_regex(r"\[[^]]*\]$", "dim")
            table.add_row(term, shown)
        console.print(Panel(table, title=Text(title), title_align="left", border_style="dim"))
