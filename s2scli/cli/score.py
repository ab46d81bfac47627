"""`s2s score`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from s2scli.cli.flags import flags
from s2scli.cli.options import SOME_FAILED, Common, DeviceOption, ModelsOption, common
from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.report.tables import make_table
from s2scli.search.settings import ScoreSettings

if TYPE_CHECKING:
    from s2scli.pipeline.score import ScoreFormat, Totals


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="Source TAB target in each line; plain or gzip; - is stdin."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write here, once all is scored."),
    ] = None,
    tokens: Annotated[
        bool,
        typer.Option(
            "--tokens",
            help="Put behind each score a TAB and the tokens of the target, a TAB and their "
            "log-probabilities; spaces divide both.",
        ),
    ] = False,
    summary: Annotated[
        bool,
        typer.Option(
            "--summary",
            help="Write only what all lines come to: log-probability, bits and perplexity for each "
            "token, character, word and sentence. The end of a target counts as one of each. Of "
            "models with other tokenizers, compare characters or words.",
        ),
    ] = False,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    *,
    settings: Annotated[ScoreSettings, flags(ScoreSettings)],
    stream: Annotated[StreamSettings, flags(StreamSettings, but=("overlong",))],
    common: Annotated[
        Common,
        common(
            "One JSON object a line: status (ok, empty, failed), score, log_prob, tokens and "
            "token_scores. With --summary: one document."
        ),
    ],
) -> None:
    """Score pairs: the log-probability (natural, in nats) of each target, one a line, in order.

    A line has nothing in it where there is no score: without a source, or where it failed.

    s2s score pairs.tsv > scores.txt

    paste sources.txt targets.txt | s2s score --summary
    """
    from s2scli.data.lines import STDIN
    from s2scli.pipeline.score import score
    from s2scli.pipeline.translate import load_model, require_inputs

    shape = _score_format(as_json=common.json, tokens=tokens, summary=summary)
    _refuse_unused(settings, output, summary)
    inputs = files or [STDIN]
    require_inputs(inputs, "to score a pair: printf 'SOURCE\\tTARGET\\n' | s2s score")
    scorer = load_model(common.workspace, models or (), device)
    to = None if output == STDIN else output
    totals = score(inputs, to, scorer, settings, stream, shape, common.talk)
    if summary and common.json:
        common.talk.show_json(totals.as_json())
    elif summary:
        common.talk.show(summary_table(totals))
    if totals.failed.count:
        raise typer.Exit(SOME_FAILED)


def summary_table(totals: "Totals") -> Table:
    """Return one row for each unit."""
    headings = ("per", "count", "log-probability", "bits", "perplexity")
    rows = [
        (
            unit.name,
            f"{unit.count:,}",
            f"{unit.mean:.4f}",
            f"{unit.bits:.4f}",
            f"{unit.perplexity:.6g}",
        )
        for unit in totals.units
    ]
    whole = ("all", "", f"{totals.log_prob:.4f}", "", "")
    return make_table(headings, [*rows, whole], numbers=headings[1:])


def _refuse_unused(settings: ScoreSettings, output: Path | None, summary: bool) -> None:
    """Refuse a flag that would change nothing."""
    if summary and "length_penalty" in settings.model_fields_set:
        raise UsageError("--length-penalty: of no use with --summary, which shows the means")
    if summary and output is not None:
        raise UsageError("--output: of no use with --summary, which writes no lines")


def _score_format(*, as_json: bool, tokens: bool, summary: bool) -> "ScoreFormat | None":
    from s2scli.pipeline.score import json_score, plain_score, token_columns

    if tokens and (as_json or summary):
        why = "--summary writes no lines" if summary else "--json shows the tokens already"
        raise UsageError(f"{why}: leave --tokens out")
    if summary:
        return None
    if as_json:
        return json_score
    return token_columns if tokens else plain_score
