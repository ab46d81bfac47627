"""`s2s evaluate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from s2scli.cli.flags import OWN, flag_errors, flags, metric_choice
from s2scli.cli.options import CommonOptions, DeviceOption, ModelsOption
from s2scli.export.settings import EngineSettings
from s2scli.metrics import USUAL_METRICS, digits_of
from s2scli.metrics.settings import MetricSettings
from s2scli.report.tables import make_table
from s2scli.search.settings import DRAWING, SearchSettings
from s2scli.settings import Tree

if TYPE_CHECKING:
    from s2scli.metrics.score import Score
    from s2scli.pipeline.evaluate import Evaluation

NOT_SEARCHED = DRAWING | {"sample", "n_best"}


def command(
    split: Annotated[
        str | None,
        typer.Option(metavar="SPLIT", help="Score train, valid or test. [default: test]"),
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
            help="Accept the targets of all pairs with the same source: each source is scored "
            "once, against the closest of them.",
            rich_help_panel=MetricSettings.panel,
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the outputs here, one per line.")
    ] = None,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    *,
    metrics: Annotated[Tree, flags(metric_choice("outputs", "model"), load=False)],
    settings: Annotated[MetricSettings, flags(MetricSettings)],
    engine: Annotated[EngineSettings, flags(EngineSettings, only=("int8",))],
    overrides: Annotated[Tree, flags(SearchSettings, but=NOT_SEARCHED, load=False, default=OWN)],
    common: CommonOptions,
) -> None:
    """Score a model on a split of the corpus or on files, or score existing outputs.

    Without a metric flag the scores are BLEU, chrF and exact match.

    s2s evaluate --bleu
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
    )
    with flag_errors():
        found = evaluate(common.workspace, request, overrides, settings, common.talk)
    talk = common.talk
    if common.json:
        talk.show_json(found.as_json())
    else:
        talk.show(Group(scores_table(found), "", facts_table(found)))
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
    """Return the metrics' signatures, each on a line that can be copied."""
    return Text("".join(f"\n{score.name}|{score.signature}" for score in scores))


def facts_table(evaluation: "Evaluation") -> Table:
    """Return what was scored, and how fast it was translated."""
    search = {name: value for name, value in evaluation.search.items() if value is not None}
    speed = evaluation.speed
    rows = {
        "scored": evaluation.scored,
        "sentences": f"{evaluation.sentences:,}",
        "failed (scored as empty)": f"{evaluation.failed:,}" if evaluation.failed else "",
        "too long (split and joined)": f"{evaluation.overlong:,}" if evaluation.overlong else "",
        "left out of perplexity": f"{evaluation.unscored:,}" if evaluation.unscored else "",
        "weights": "of 8 bits" if evaluation.int8 else "",
        "search": "  ".join(f"{name} {value}" for name, value in search.items()),
        "speed": f"{speed.sentences_per_second:,.1f} sentences/s  "
        f"{speed.tokens_per_second:,.0f} tokens/s  ({speed.seconds:.1f} s)"
        if speed
        else "",
    }
    return make_table(("evaluation", ""), [(name, fact) for name, fact in rows.items() if fact])


def value_and_interval(score: "Score") -> tuple[str, str]:
    """Return a score and its 95 % interval as text; "" without an interval."""
    value, *ends = (f"{one:.{digits_of(score)}f}" for one in (score.value, *(score.interval or ())))
    return value, " to ".join(ends)
