"""The curves, the scores and the verdict of a training run, as lines of text and as a page."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from s2scli.report.console import make_console
from s2scli.report.curve import Curve, draw_curves
from s2scli.report.curve_html import Plot, curves_html, curves_part
from s2scli.report.page import Part
from s2scli.report.samples_html import SampleHistory, samples_part
from s2scli.report.tables import make_table

LOSS_HEIGHT, SCORE_HEIGHT = 12, 7
FILE_WIDTH = 100
MACHINE = {
    "learning_rate": "learning rate",
    "gradient_norm": "norm of the gradient before clipping",
    "tokens_per_second": "target tokens per second",
    "busy_cores": "busy processor cores",
    "peak_memory_mb": "peak memory (MB)",
    "gpu_peak_memory_mb": "peak memory of the GPU (MB)",
}


class Measured(Protocol):
    """The values measured at one step of a run."""

    @property
    def step(self) -> int:
        """The number of updates so far."""

    @property
    def epoch(self) -> float:
        """The number of epochs so far, including the fraction of the current one."""

    @property
    def seconds(self) -> float:
        """The time the run has taken."""

    @property
    def values(self) -> Mapping[str, float]:
        """The losses and scores, by name."""


@dataclass(frozen=True)
class Training:
    """The data to show about a training run.

    Attributes:
        updates: the reports of updates, in order.
        validations: the validations, in order.
        best: the validation whose weights are the model, or None.
        scores: the names of the scores in the table.
        drawn: the names of the scores that have a plot.
        verdict: whether more training is worth it, as a sentence.
        samples: the outputs over time, for the page.
    """

    updates: Sequence[Measured]
    validations: Sequence[Measured]
    best: Measured | None
    scores: Sequence[str]
    drawn: Sequence[str]
    verdict: str
    samples: Sequence[SampleHistory] = ()


def training_lines(training: Training, console: Console) -> Iterator[Table | Text]:
    """Yield the lines of the plots, the table and the verdict, as wide as `console`."""
    ascii_only = console.options.ascii_only
    for plot in _plots(training):
        height = LOSS_HEIGHT if plot.title == "loss" else SCORE_HEIGHT
        yield from draw_curves(plot.curves, console.width, height, ascii_only=ascii_only)
        yield Text()
    yield _table(training)
    yield Text(f"\n{training.verdict}")


def training_text(training: Training) -> str:
    """Return the plots, the table and the verdict as plain text."""
    console = make_console(file=(written := io.StringIO()), width=FILE_WIDTH, no_color=True)
    for line in training_lines(training, console):
        console.print(line)
    return written.getvalue()


def training_html(training: Training) -> str:
    """Return an HTML page: plots, the table, the verdict, machine use and samples over time."""
    return curves_html("Training", training_part(training))


def training_part(training: Training) -> Part:
    """Return the content of the page."""
    plots = [*_plots(training), *_machine_plots(training)]
    samples = samples_part(training.samples)
    return curves_part(plots, _table(training), training.verdict, samples)


def _plots(training: Training) -> list[Plot]:
    """Return a plot of the losses, and one of each drawn score."""
    validations, best = training.validations, [training.best] if training.best else []
    losses = [
        _curve("training loss", "loss", training.updates, "cyan"),
        _curve("validation loss", "loss", validations, "yellow", "●"),
    ]
    scores = [
        Plot(
            name,
            [
                _curve(f"validation {name}", name, validations, "green"),
                _curve("best", name, best, "bold yellow", "◆"),
            ],
        )
        for name in training.drawn
    ]
    return [Plot("loss", losses), *scores]


def _machine_plots(training: Training) -> list[Plot]:
    """Return a plot of each quantity of an update but the loss, the machine's included."""
    return [
        Plot(title, [_curve(title, key, training.updates, "cyan")])
        for key, title in MACHINE.items()
    ]


def _curve(
    name: str, key: str, records: Sequence[Measured], style: str, mark: str | None = None
) -> Curve:
    kept = [record for record in records if key in record.values]
    xs = tuple(float(record.step) for record in kept)
    return Curve(name, xs, tuple(record.values[key] for record in kept), style, mark)


def _table(training: Training) -> Table:
    """Return the progress and the scores, at the best and the last record."""
    last = (training.validations or training.updates)[-1]
    columns = {"best": training.best, "last": last}
    marked = {name: record for name, record in columns.items() if record}
    reached = [
        ("step", [f"{record.step:,}" for record in marked.values()]),
        ("epoch", [f"{record.epoch:.1f}" for record in marked.values()]),
        ("minutes", [f"{record.seconds / 60:.1f}" for record in marked.values()]),
    ]
    scores = [
        (name, [f"{r.values[name]:.4g}" if name in r.values else "" for r in marked.values()])
        for name in training.scores
    ]
    rows = [(name, *values) for name, values in (*reached, *scores)]
    return make_table(("", *marked), rows, numbers=[*marked])
