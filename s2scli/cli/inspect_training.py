"""`s2s inspect training`: the curves of a run, and its best step."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from s2scli.cli.options import CommonOptions
from s2scli.report.console import Talk
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect import History, LogLine
    from s2scli.report.curve import Curve

RATES = ("sequence_error_rate", "symbol_error_rate")
TEXT_SCORES = ("bleu", "chrf", "ter", "exact_match", *RATES)
LOSS_HEIGHT, SCORE_HEIGHT = 12, 7


def command(
    common: CommonOptions,
) -> None:
    """Draw the loss and the scores of a training run, and name its best step."""
    from s2scli.pipeline.inspect import inspect_training

    history = inspect_training(common.workspace.training)
    if common.json:
        common.talk.show_json(_document(history))
    else:
        _show(history, common.talk)


def _document(history: "History") -> dict[str, Any]:
    return {
        "best": history.best.document if history.best else None,
        "validations": [record.document for record in history.validations],
        "updates": [record.document for record in history.updates],
    }


def _show(history: "History", talk: Talk) -> None:
    from s2scli.report.curve import draw_curves

    ascii_only = talk.stdout.options.ascii_only
    for curves, height in _plots(history):
        lines = draw_curves(curves, talk.stdout.width, height, ascii_only=ascii_only)
        for line in (*lines, Text()):
            talk.show(line)
    talk.show(_summary_table(history))


def _plots(history: "History") -> "Iterator[tuple[list[Curve], int]]":
    """Yield each plot's curves and height: the losses, then every text score that changed."""
    from s2scli.report.curve import Curve

    def curve(
        name: str, key: str, records: "Sequence[LogLine]", style: str, mark: str | None = None
    ) -> Curve:
        kept = [record for record in records if key in record.values]
        xs, ys = (float(r.step) for r in kept), (r.values[key] for r in kept)
        return Curve(name, tuple(xs), tuple(ys), style, mark)

    yield (
        [
            curve("training loss", "loss", history.updates, "cyan"),
            curve("validation loss", "loss", history.validations, "yellow", "●"),
        ],
        LOSS_HEIGHT,
    )
    for name in history.scores:
        measured = {record.values.get(name) for record in history.validations}
        if name in TEXT_SCORES and len(measured) > 1:
            best = [history.best] if history.best else []
            yield (
                [
                    curve(f"validation {name}", name, history.validations, "green"),
                    curve("best", name, best, "bold yellow", "◆"),
                ],
                SCORE_HEIGHT,
            )


def _summary_table(history: "History") -> Table:
    """Return where the run is, and what was measured at its best step and at its last."""
    columns = {"best": history.best, "last": (history.validations or history.updates)[-1]}
    marked = {name: record for name, record in columns.items() if record}
    place = [
        ("step", [f"{record.step:,}" for record in marked.values()]),
        ("epoch", [f"{record.epoch:.1f}" for record in marked.values()]),
        ("minutes", [f"{record.seconds / 60:.1f}" for record in marked.values()]),
    ]
    scores = [
        (
            name,
            [
                f"{record.values[name]:.4g}" if name in record.values else ""
                for record in marked.values()
            ],
        )
        for name in history.scores
    ]
    rows = [(name, *values) for name, values in (*place, *scores)]
    return make_table(("", *marked), rows, numbers=tuple(marked))
