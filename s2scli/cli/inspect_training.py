"""`s2s inspect training`: the learning curves of a run, and its best step."""

import enum
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from s2scli.cli.options import CommonOptions, OutputOption, format_of, format_option
from s2scli.metrics import METRICS
from s2scli.report.console import json_text, make_console
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_training import History, LogLine
    from s2scli.report.curve import Curve

LOSS_HEIGHT, SCORE_HEIGHT = 12, 7
FILE_WIDTH = 100


class Format(enum.StrEnum):
    """The formats that the curves can be written in."""

    PLAIN = "plain"
    JSON = "json"
    HTML = "html"


def command(
    format: Annotated[
        Format | None, format_option(Format, "by the suffix of -o, otherwise plain")
    ] = None,
    output: OutputOption = None,
    *,
    common: CommonOptions,
) -> None:
    """Plot the loss and the scores of a training run, and say if more training is likely to help.

    s2s inspect training -o curves.html
    """
    from s2scli.pipeline.inspect_training import inspect_training

    history = inspect_training(common.workspace)
    chosen = Format.JSON if common.json else format or format_of(output or Path(), Format)
    if chosen is Format.PLAIN and output is None:
        for renderable in _shown(history, common.talk.stdout):
            common.talk.show(renderable)
        return
    common.write(_written(history, chosen), output)


def _written(history: "History", format: Format) -> str:
    """Return the curves in a format, as text."""
    if format is Format.JSON:
        return json_text(_document(history))
    if format is Format.HTML:
        return _page(history)
    console = make_console(file=(written := io.StringIO()), width=FILE_WIDTH, no_color=True)
    for renderable in _shown(history, console):
        console.print(renderable)
    return written.getvalue()


def _page(history: "History") -> str:
    """Return the curves and the table as an HTML page."""
    from s2scli.report.curve_html import Plot, curves_html

    plots = [Plot(name, curves) for name, curves, _ in _plots(history)]
    return curves_html("Training", plots, *_summary(history))


def _document(history: "History") -> dict[str, Any]:
    return {
        "best": history.best.document if history.best else None,
        "outlook": asdict(history.outlook),
        "validations": [record.document for record in history.validations],
        "updates": [record.document for record in history.updates],
    }


def _shown(history: "History", console: Console) -> Iterator[Table | Text]:
    """Yield the lines of the plots, then the table and the outlook."""
    from s2scli.report.curve import draw_curves

    ascii_only = console.options.ascii_only
    for _, curves, height in _plots(history):
        yield from (*draw_curves(curves, console.width, height, ascii_only=ascii_only), Text())
    yield _summary_table(history)
    yield Text(f"\n{history.outlook.sentence}")


def _plots(history: "History") -> "Iterator[tuple[str, list[Curve], int]]":
    """Yield the name, curves and height of each plot: the loss and each score that changed."""
    from s2scli.report.curve import Curve

    def curve(
        name: str, key: str, records: "Sequence[LogLine]", style: str, mark: str | None = None
    ) -> Curve:
        kept = [record for record in records if key in record.values]
        xs, ys = (float(r.step) for r in kept), (r.values[key] for r in kept)
        return Curve(name, tuple(xs), tuple(ys), style, mark)

    losses = curve("training loss", "loss", history.updates, "cyan")
    yield (
        "loss",
        [losses, curve("validation loss", "loss", history.validations, "yellow", "●")],
        LOSS_HEIGHT,
    )
    best = [history.best] if history.best else []
    for name in history.scores:
        measured = {record.values.get(name) for record in history.validations}
        if name in METRICS and METRICS[name].needs == "outputs" and len(measured) > 1:
            scores = curve(f"validation {name}", name, history.validations, "green")
            yield name, [scores, curve("best", name, best, "bold yellow", "◆")], SCORE_HEIGHT


def _summary_table(history: "History") -> Table:
    columns, rows = _summary(history)
    return make_table(columns, rows, numbers=columns[1:])


def _summary(history: "History") -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the headings and rows of the table: progress and scores at the best and last step."""
    columns = {"best": history.best, "last": (history.validations or history.updates)[-1]}
    marked = {name: record for name, record in columns.items() if record}
    reached = [
        ("step", [f"{record.step:,}" for record in marked.values()]),
        ("epoch", [f"{record.epoch:.1f}" for record in marked.values()]),
        ("minutes", [f"{record.seconds / 60:.1f}" for record in marked.values()]),
    ]
    scores = [
        (name, [f"{r.values[name]:.4g}" if name in r.values else "" for r in marked.values()])
        for name in history.scores
    ]
    rows = [(name, *values) for name, values in (*reached, *scores)]
    return ("", *marked), rows
