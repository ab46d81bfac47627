"""`s2s evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from s2scli.cli.flags import flag_errors, flags
from s2scli.cli.options import CommonOptions, DeviceOption, Int8Option, ModelsOption
from s2scli.metrics.settings import MetricSettings
from s2scli.report.tables import make_table
from s2scli.search.settings import DRAWING, SearchSettings
from s2scli.settings import Tree

if TYPE_CHECKING:
    from s2scli.metrics.score import Score
    from s2scli.pipeline.evaluate import Evaluation

DEFAULT_METRICS = ("bleu", "chrf", "exact_match")
NOT_SEARCHED = DRAWING | {"sample", "n_best"}


def command(
    split: Annotated[
        str | None,
        typer.Option(
            "--split", help="Split of the corpus to score: train, valid or test. [default: test]"
        ),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--source", metavar="FILE", help="Translate this file instead.")
    ] = None,
    hypothesis: Annotated[
        Path | None,
        typer.Option("--hypothesis", metavar="FILE", help="Score these outputs; no model is used."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", metavar="FILE", help="The right targets, plain or gzip."),
    ] = None,
    bleu: Annotated[bool, typer.Option("--bleu", help="sacreBLEU's BLEU.")] = False,
    chrf: Annotated[bool, typer.Option("--chrf", help="Character n-gram F-score.")] = False,
    ter: Annotated[bool, typer.Option("--ter", help="Translation edit rate.")] = False,
    exact_match: Annotated[
        bool, typer.Option("--exact-match", help="Outputs that are the reference, in percent.")
    ] = False,
    sequence_error_rate: Annotated[
        bool,
        typer.Option(
            "--sequence-error-rate",
            help="Outputs with any error, in percent (of pronunciations: the word error rate).",
        ),
    ] = False,
    symbol_error_rate: Annotated[
        bool,
        typer.Option(
            "--symbol-error-rate",
            help="Edits of what stands between spaces, in percent (of phones: the phone error "
            "rate).",
        ),
    ] = False,
    perplexity: Annotated[
        bool, typer.Option("--perplexity", help="Of the references, a token.")
    ] = False,
    token_accuracy: Annotated[
        bool,
        typer.Option("--token-accuracy", help="Reference tokens the model expects, in percent."),
    ] = False,
    multi_reference: Annotated[
        bool,
        typer.Option(
            "--multi-reference",
            help="Take the targets of all pairs with one source for right: each source is scored "
            "once, against the closest of them.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the outputs here, one a line."),
    ] = None,
    models: ModelsOption = None,
    int8: Int8Option = False,
    device: DeviceOption = "auto",
    *,
    settings: Annotated[MetricSettings, flags(MetricSettings)],
    search: Annotated[Tree, flags(SearchSettings, but=NOT_SEARCHED, load=False)],
    common: CommonOptions,
) -> None:
    """Score a model on the test split, or on files, or score outputs that are there.

    Without a metric's flag: BLEU, chrF and exact match.

    s2s evaluate --bleu

    s2s evaluate --hypothesis output.txt --reference target.txt
    """
    from s2scli.pipeline.evaluate import EvaluateRequest, evaluate, save_evaluation

    flags = {
        "bleu": bleu,
        "chrf": chrf,
        "ter": ter,
        "exact_match": exact_match,
        "sequence_error_rate": sequence_error_rate,
        "symbol_error_rate": symbol_error_rate,
        "perplexity": perplexity,
        "token_accuracy": token_accuracy,
    }
    request = EvaluateRequest(
        tuple(name for name, asked in flags.items() if asked) or DEFAULT_METRICS,
        split,
        source,
        hypothesis,
        reference,
        output,
        tuple(models or ()),
        device,
        multi_reference,
        int8,
    )
    with flag_errors():
        found = evaluate(common.workspace, request, search, settings, common.talk)
    talk = common.talk
    if common.json:
        talk.show_json(found.as_json())
    else:
        talk.show(Group(scores_table(found), "", facts_table(found)))
        talk.show(signatures(found), soft_wrap=True)
    if request.of_workspace:
        save_evaluation(found, common.workspace, talk)
    if found.speed and not models:
        common.say_next("translate < input.txt")


def scores_table(evaluation: "Evaluation") -> Table:
    """Return one row for each metric."""
    headings = ("metric", "value", "95 % interval")
    rows = [(score.name, f"{score.value:.2f}", _interval(score)) for score in evaluation.scores]
    return make_table(headings, rows, numbers=headings[1:])


def signatures(evaluation: "Evaluation") -> Text:
    """Return the metrics' signatures, each on a line that can be copied."""
    lines = (f"{score.name}|{score.signature}" for score in evaluation.scores)
    return Text("\n".join(("", *lines)))


def facts_table(evaluation: "Evaluation") -> Table:
    """Return what was scored, and how fast it was made."""
    rows = [("scored", evaluation.scored), ("sentences", f"{evaluation.sentences:,}")]
    if evaluation.failed:
        rows.append(("failed (scored as empty)", f"{evaluation.failed:,}"))
    if evaluation.overlong:
        rows.append(("too long (split and joined)", f"{evaluation.overlong:,}"))
    if evaluation.int8:
        rows.append(("weights", "of 8 bits"))
    if evaluation.search:
        known = {name: value for name, value in evaluation.search.items() if value is not None}
        rows.append(("search", "  ".join(f"{name} {value}" for name, value in known.items())))
    if speed := evaluation.speed:
        rows.append(
            (
                "speed",
                f"{speed.sentences_per_second:,.1f} sentences/s  "
                f"{speed.tokens_per_second:,.0f} tokens/s  ({speed.seconds:.1f} s)",
            )
        )
    return make_table(("evaluation", ""), rows)


def _interval(score: "Score") -> str:
    return f"{score.interval[0]:.2f} to {score.interval[1]:.2f}" if score.interval else ""
