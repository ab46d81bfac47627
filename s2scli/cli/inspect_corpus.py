"""`s2s inspect corpus`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from s2scli.cli.options import CommonOptions
from s2scli.cli.prepare import rows_table, splits_table
from s2scli.errors import UsageError
from s2scli.report.console import visible

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_corpus import CorpusView

BAR_WIDTH = 20


def command(
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="Look at train, valid or test.")
    ] = "train",
    count: Annotated[
        int, typer.Option("-n", "--samples", min=0, max=10_000, help="Rows to show.")
    ] = 5,
    *,
    common: CommonOptions,
) -> None:
    """Show what was read and kept, the splits, lengths, and sample rows.

    s2s inspect corpus --split test -n 20
    """
    from s2scli.data.store import SPLITS
    from s2scli.pipeline.inspect_corpus import inspect_corpus

    if split not in SPLITS:
        raise UsageError(f"--split {split}: expected one of {', '.join(SPLITS)}")
    view = inspect_corpus(common.workspace, split, count)
    tables = [rows_table(view.report), splits_table(view.report), _lengths(view)]
    common.show(asdict(view), *tables, *([_samples(view)] if view.samples else []))


def _lengths(view: "CorpusView") -> Table:
    table = Table("characters", "sources", "", "targets", "", title=f"lengths in {view.split}")
    most = max((max(part.sources, part.targets) for part in view.lengths), default=1)
    for part in view.lengths:
        span = "-".join(map(str, sorted({part.shortest, part.longest})))
        counts = (part.sources, part.targets)
        table.add_row(span, *(cell for n in counts for cell in (f"{n:,}", _bar(n, most))))
    return table


def _bar(count: int, most: int) -> str:
    """Return a bar for `count`, rounded up, so that only 0 has none."""
    return "█" * -(-count * BAR_WIDTH // most)


def _samples(view: "CorpusView") -> Table:
    table = Table("line", "source", "target", title=f"rows of {view.split}", show_lines=True)
    for row in view.samples:
        table.add_row(str(row.line), Text(visible(row.source)), Text(visible(row.target)))
    return table
