"""`s2s inspect corpus`."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from s2scli.cli.cards import card_page
from s2scli.cli.options import Common, CommonOptions
from s2scli.cli.prepare import report_tables
from s2scli.errors import UsageError
from s2scli.report.bars import bar
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_corpus import CorpusView


SAMPLES = 5


def command(
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="Split to show: train, valid or test.")
    ] = "train",
    count: Annotated[
        int | None,
        typer.Option(
            "-n", "--samples", min=0, max=10_000, help="Number of rows to show. [default: 5]"
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the report card as one HTML page that loads nothing.",
        ),
    ] = None,
    *,
    common: CommonOptions,
) -> None:
    """Show how many rows were read and kept, the splits, the text lengths, and sample rows.

    Of a corpus of text it also shows what to look at first, the scripts and languages, how the
    vocabulary grows, and what of the other splits is also in the train split.

    s2s inspect corpus --split test -n 20
    s2s inspect corpus --html card.html
    """
    from s2scli.data.store import require_split
    from s2scli.pipeline.inspect_corpus import inspect_corpus

    require_split(split)
    for flag, given in (("--samples", count is not None), ("--json", common.json)):
        if html and given:
            raise UsageError(f"{flag} has no effect with --html, which writes a page: leave it out")
    view = inspect_corpus(common.workspace, split, SAMPLES if count is None else count)
    if html is not None:
        _write_page(view, html, common)
        return
    tree = {**asdict(view), "report": view.report.tree()}
    del tree["sizes" if view.report.sides.are_text else "card"]  # lengths are the sizes of texts
    card = _card_parts(view) if view.card else ()
    common.show(tree, *view_tables(view), *card)


def view_tables(view: "CorpusView") -> list[RenderableType]:
    """Return the tables of a corpus, with an empty line between them."""
    shown = [_lengths(view)] if view.report.sides.are_text else _sizes(view)
    shown += [_samples(view)] if view.samples else []
    return [*report_tables(view.report), *(part for one in shown for part in (one, ""))]


def _write_page(view: "CorpusView", path: Path, common: Common) -> None:
    from s2scli.report.card_html import card_html

    if view.card is None:
        raise UsageError("--html is for a corpus of text")
    common.write(card_html(card_page(view)), path)


def _card_parts(view: "CorpusView") -> Iterator[RenderableType]:
    """Yield what to look at first, and the charts, as text."""
    from s2scli.report.card import chart_table, finding_lines

    page = card_page(view)
    yield from finding_lines(page.findings)
    yield ""
    for chart in page.charts[1:]:  # the lengths of the chosen split are there already
        yield chart_table(chart)
        yield ""


def _lengths(view: "CorpusView") -> Table:
    most = max((max(part.sources, part.targets) for part in view.lengths), default=1)
    rows = []
    for part in view.lengths:
        span = "-".join(map(str, sorted({part.shortest, part.longest})))
        bars = bar(part.sources, most), bar(part.targets, most)
        rows.append((span, f"{part.sources:,}", bars[0], f"{part.targets:,}", bars[1]))
    headings = (f"characters in {view.split}", "sources", "", "targets", "")
    return make_table(headings, rows, numbers=("sources", "targets"))


def _sizes(view: "CorpusView") -> list[Table]:
    """Return a histogram of each side of a corpus of sound or pictures."""
    tables = []
    for side in ("source", "target"):
        bins = [part for part in view.sizes if part.side == side]
        most = max((part.rows for part in bins), default=1)
        rows = [
            (f"{part.smallest:g}-{part.limit:g}", f"{part.rows:,}", bar(part.rows, most))
            for part in bins
        ]
        unit = bins[0].unit if bins else ""
        headings = (f"{unit} of {side} in {view.split}", "rows", "")
        tables.append(make_table(headings, rows, numbers=("rows",)))
    return tables


def _samples(view: "CorpusView") -> Table:
    rows = [(str(row.line), row.source, row.target) for row in view.samples]
    return make_table((f"line of {view.split}", "source", "target"), rows)
