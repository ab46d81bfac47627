"""`s2s inspect training`: the curves of a run, its best step and whether to train more."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2scli.cli.options import CommonOptions, OutputOption, PageFormat, PageFormatOption, format_of
from s2scli.metrics import METRICS
from s2scli.report.console import json_text

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_training import History
    from s2scli.report.samples_html import SampleHistory
    from s2scli.report.training import Training


def command(
    format: PageFormatOption = None,
    output: OutputOption = None,
    *,
    common: CommonOptions,
) -> None:
    """Plot the loss and the scores of a training run, and say if more training is likely to help.

    A page also shows the use of the machine and, of a run with --log-samples, outputs and their
    attention over time.

    s2s inspect training -o curves.html
    """
    from s2scli.pipeline.inspect_training import inspect_training
    from s2scli.report.training import training_lines

    history = inspect_training(common.workspace)
    chosen = PageFormat.JSON if common.json else format or format_of(output or Path(), PageFormat)
    if chosen is PageFormat.PLAIN and output is None:
        for line in training_lines(shown_training(history), common.talk.stdout):
            common.talk.show(line)
        return
    common.write(_written(history, chosen), output)


def _written(history: "History", format: PageFormat) -> str:
    """Return the curves as the text of a file."""
    from s2scli.report.training import training_html, training_text

    if format is PageFormat.JSON:
        return json_text(_document(history))
    training = shown_training(history)
    return training_html(training) if format is PageFormat.HTML else training_text(training)


def _document(history: "History") -> dict[str, Any]:
    return {
        "best": history.best.document if history.best else None,
        "outlook": asdict(history.outlook),
        "validations": [record.document for record in history.validations],
        "updates": [record.document for record in history.updates],
        "samples": [asdict(samples) for samples in history.samples],
    }


def shown_training(history: "History") -> "Training":
    """Return the data to show about a run; a text score that never changed has no plot."""
    from s2scli.report.training import Training

    return Training(
        history.updates,
        history.validations,
        history.best,
        history.scores,
        [name for name in history.scores if _is_drawn(name, history)],
        history.outlook.sentence,
        _samples(history),
    )


def _samples(history: "History") -> "list[SampleHistory]":
    """Return the outputs of each sample over time."""
    from s2scli.report.samples_html import Output, SampleHistory

    found: dict[tuple[str, str], list[Output]] = {}
    for each in history.samples:
        for sample in each.samples:
            output = Output(
                each.step,
                sample.output,
                sample.source_pieces,
                sample.target_pieces,
                sample.attention,
            )
            found.setdefault((sample.source, sample.reference), []).append(output)
    return [SampleHistory(*texts, outputs) for texts, outputs in found.items()]


def _is_drawn(name: str, history: "History") -> bool:
    measured = {record.values.get(name) for record in history.validations}
    return name in METRICS and METRICS[name].needs == "outputs" and len(measured) > 1
