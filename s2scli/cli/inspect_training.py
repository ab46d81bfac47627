"""`s2s inspect training`: the curves of a run, and its best step."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from s2scli.cli.options import CommonOptions
from s2scli.metrics import METRICS
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_training import History, LogLine
    from s2scli.report.curve import Curve

LOSS_HEIGHT, SCORE_HEIGHT = 12, 7


def command(common: CommonOptions) -> None:
    """Draw the loss and the scores of a training run; say whether more training is worth it."""
    from s2scli.pipeline.inspect_training import inspect_training

    history = inspect_training(common.workspace)
    common.show(_document(history), *_shown(history, common.talk.stdout))


def _document(history: "History") -> dict[str, Any]:
    return {
        "best": history.best.document if history.best else None,
        "outlook": asdict(history.outlook),
        "validations": [record.document for record in history.validations],
        "updates": [record.document for record in history.updates],
    }


def _shown(history: "History", console: Console) -> Iterator[Table | Text]:
    """Yield the lines of the plots, and the table below them."""
    from s2scli.report.curve import draw_curves

    ascii_only = console.options.ascii_only
    for curves, height in _plots(history):
        yield from (*draw_curves(curves, console.width, height, ascii_only=ascii_only), Text())
    yield _summary_table(history)
    yield Text(f"\n{history.outlook.sentence}")


def _plots(history: "History") -> "Iterator[tuple[list[Curve], int]]":
    """Yield each plot's curves and height: the losses, then every text score that changed."""
    from s2scli.report.curve import Curve

    def curve(
        name: str, key: str, records: "Sequence[LogLine]", style: str, mark: str | None = None
    ) -> Curve:
        kept = [record for record in records if key in record.values]
        xs, ys = (float(r.step) for r in kept), (r.values[key] for r in kept)
        return Curve(name, tuple(xs), tuple(ys), style, mark)

    losses = curve("training loss", "loss", history.updates, "cyan")
    yield (
        [losses, curve("validation loss", "loss", history.validations, "yellow", "●")],
        LOSS_HEIGHT,
    )
    best = [history.best] if history.best else []
    for name in history.scores:
        measured = {record.values.get(name) for record in history.validations}
        if name in METRICS and METRICS[name].needs == "outputs" and len(measured) > 1:
            scores = curve(f"validation {name}", name, history.validations, "green")
            yield [scores, curve("best", name, best, "bold yellow", "◆")], SCORE_HEIGHT


def _summary_table(history: "History") -> Table:
    """Return the progress and the scores at the best step and at the last."""
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
    return make_table(("", *marked), rows, numbers=tuple(marked))
