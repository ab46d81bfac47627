"""Tables; cells are data, never markup."""

from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from s2scli.report.console import visible
from s2scli.report.markup import escaped


def make_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    numbers: Collection[str] = (),
) -> Table:
    """Return a table with a line under its headings; a text that is too long is wrapped.

    Args:
        headings: the headings of the columns.
        rows: the rows, one text for each column; a Rich text keeps its style.
        numbers: the headings of columns that are right-aligned and never broken.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for heading in headings:
        right = heading in numbers
        justify: JustifyMethod = "right" if right else "left"
        table.add_column(heading, justify=justify, no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) if isinstance(cell, str) else cell for cell in row))
    return table


def table_html(table: Table) -> str:
    """Return a table of `make_table` as HTML, with the classes `cells` and, of numbers, `n`."""
    columns = table.columns
    kinds = [' class="n"' if column.justify == "right" else "" for column in columns]
    head = "".join(
        f"<th{kind}>{escaped(str(column.header))}</th>"
        for kind, column in zip(kinds, columns, strict=True)
    )
    rows = "\n".join(
        "<tr>"
        + "".join(
            f"<td{kind}><bdi>{escaped(str(cell))}</bdi></td>"
            for kind, cell in zip(kinds, row, strict=True)
        )
        + "</tr>"
        for row in zip(*(column.cells for column in columns), strict=True)
    )
    return f'<table class="cells"><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>'


def whole(table: Table, console: Console) -> Table:
    """Return the table at its full width, even if the console is narrower."""
    table.width = console.measure(table, options=console.options.update(max_width=1000)).maximum
    return table
