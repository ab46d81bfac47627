"""Tables of facts, whose cells are data and never markup."""

from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from s2scli.report.console import visible


def make_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Collection[str] = (),
    title: str | None = None,
) -> Table:
    """Return a table with a line under its headings.

    Args:
        headings: one for each column.
        rows: a text for each heading.
        numbers: the headings of columns that are set to the right and never broken.
        title: a line above the table.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        title=title and Text(visible(title), style="bold"),
        title_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    for heading in headings:
        right = heading in numbers
        table.add_column(heading, justify="right" if right else "left", no_wrap=right)
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table
