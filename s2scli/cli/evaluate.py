"""`s2s evaluate`."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from s2scli.cli.flags import OWN, flag_errors, flags, metric_choice
from s2scli.cli.options import CommonOptions, DeviceOption, ModelsOption
from s2scli.export.settings import EngineSettings
from s2scli.metrics import METRICS, USUAL_METRICS, digits_of
from s2scli.metrics.settings import MetricSettings
from s2scli.report.tables import make_table
from s2scli.search.settings import NOT_EVALUATED, SearchSettings
from s2scli.settings import Tree

if TYPE_CHECKING:
    from s2scli.metrics.score import Score
    from s2scli.metrics.sentences import Example
    from s2scli.pipeline.evaluate import Evaluation

USUAL_EXAMPLES = 3


def command(
    split: Annotated[
        str | None,
        typer.Option(metavar="SPLIT", help="Split to score: train, valid or test. [default: test]"),
    ] = None,
    source: Annotated[
        Path | None, typer.Option(help="Translate and score this file instead of a split.")
    ] = None,
    hypothesis: Annotated[
        Path | None, typer.Option(help="Score these outputs; no model is used.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="The reference targets, plain or gzip.")
    ] = None,
    multi_reference: Annotated[
        bool,
        typer.Option(
            "--multi-reference",
            help="Score each source once, against the closest of all targets that it is "
            "paired with.",
            rich_help_panel=MetricSettings.panel,
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write the outputs to this file, one per line. A .tsv file gets the source, "
            "reference, output and chrF of each sentence, separated by tabs.",
        ),
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Show N sentences with source, reference and output: one third each from the "
            "best, the middle and the worst by chrF. [default: 3 on a terminal, otherwise 0]",
        ),
    ] = None,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    *,
    metrics: Annotated[Tree, flags(metric_choice("outputs", "model"), load=False)],
    settings: Annotated[MetricSettings, flags(MetricSettings)],
    engine: Annotated[EngineSettings, flags(EngineSettings, only=("int8",))],
    overrides: Annotated[Tree, flags(SearchSettings, but=NOT_EVALUATED, load=False, default=OWN)],
    common: CommonOptions,
) -> None:
    """Score a model on a split of the corpus or on files, or score existing outputs.

    Without a metric flag the scores are BLEU, chrF and exact match.

    s2s evaluate --bleu
    s2s evaluate --examples 9 -o sentences.tsv
    s2s evaluate --hypothesis output.txt --reference target.txt
    """
    from s2scli.pipeline.evaluate import EvaluateRequest, evaluate, save_evaluation

    request = EvaluateRequest(
        tuple(metrics) or USUAL_METRICS,
        split,
        source,
        hypothesis,
        reference,
        output,
        tuple(models or ()),
        device,
        multi_reference,
        engine.int8,
        examples or 0,
    )
    if examples is None and request.searches and sys.stdout.isatty() and not common.json:
        request = replace(request, examples=USUAL_EXAMPLES)
    with flag_errors():
        found = evaluate(common.workspace, request, overrides, settings, common.talk)
    talk = common.talk
    if common.json:
        talk.show_json(found.as_json())
    else:
        talk.show(Group(scores_table(found), "", facts_table(found, all_settings=talk.verbose)))
        if found.examples:
            talk.show(Group("", examples_table(found.examples)))
        talk.show(signatures(found.scores), soft_wrap=True)
    if request.of_workspace:
        save_evaluation(found, common.workspace, talk)
    if found.speed and not models:
        common.say_next("translate < input.txt")


def scores_table(evaluation: "Evaluation") -> Table:
    """Return one row for each metric."""
    headings = ("metric", "value", "95 % interval")
    rows = [(score.name, *value_and_interval(score)) for score in evaluation.scores]
    return make_table(headings, rows, numbers=headings[1:])


def signatures(scores: "Sequence[Score]") -> Text:
    """Return the signature of each metric, on a line of its own."""
    return Text("".join(f"\n{score.name}|{score.signature}" for score in scores))


def facts_table(evaluation: "Evaluation", *, all_settings: bool) -> Table:
    """Return what was scored, the search settings and the speed."""
    speed = evaluation.speed
    rows = {
        "scored": evaluation.scored,
        "sentences": f"{evaluation.sentences:,}",
        "failed (scored as empty)": f"{evaluation.failed:,}" if evaluation.failed else "",
        "too long (split and joined)": f"{evaluation.overlong:,}" if evaluation.overlong else "",
        "left out of perplexity": f"{evaluation.unscored:,}" if evaluation.unscored else "",
        "weights": "8-bit" if evaluation.int8 else "",
        "search": search_text(evaluation, all_settings=all_settings),
        "speed": f"{speed.sentences_per_second:,.1f} sentences/s  "
        f"{speed.tokens_per_second:,.0f} tokens/s  ({speed.seconds:.1f} s)"
        if speed
        else "",
    }
    return make_table(("evaluation", ""), [(name, fact) for name, fact in rows.items() if fact])


def search_text(evaluation: "Evaluation", *, all_settings: bool) -> str:
    """Return the search settings that differ from the model's own, or all of them."""
    shown = {
        name: value
        for name, value in evaluation.search.items()
        if value is not None and (all_settings or name in evaluation.changed)
    }
    own = "the model's own settings" if evaluation.search else ""
    return "  ".join(f"{name} {value}" for name, value in shown.items()) or own


def examples_table(examples: "Sequence[Example]") -> Table:
    """Return the source, reference and output of each sentence, one per row."""
    headings = ("example", "line", "chrF2", "", "text")
    rows: list[tuple[str, ...]] = []
    for example in examples:
        sentence = example.sentence
        head: tuple[str, ...] = (
            example.rank,
            f"{sentence.number:,}",
            f"{sentence.chrf:.{METRICS['chrf'].digits}f}",
        )
        if sentence.source is not None:
            rows.append((*head, "source", sentence.source))
            head = ("", "", "")
        rows.append((*head, "reference", sentence.reference))
        rows.append(("", "", "", "output", sentence.output))
        rows.append(("",) * len(headings))
    return make_table(headings, rows[:-1], numbers=headings[1:3])


def value_and_interval(score: "Score") -> tuple[str, str]:
    """Return a score and its 95 % interval as text; the interval is "" if there is none."""
    value, *ends = (f"{one:.{digits_of(score)}f}" for one in (score.value, *(score.interval or ())))
    return value, " to ".join(ends)
