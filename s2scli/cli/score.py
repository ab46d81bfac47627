"""`s2s score`."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from s2scli.cli.flags import flags
from s2scli.cli.options import (
    SOME_FAILED,
    CommonOptions,
    DeviceOption,
    ModelsOption,
    TagOption,
    not_stdout,
)
from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.report.tables import make_table
from s2scli.search.settings import ScoreSettings

if TYPE_CHECKING:
    from s2scli.pipeline.score import Totals
    from s2scli.translation.records import RecordFormat

_output: Any = functools.partial(typer.Option, rich_help_panel=ScoreSettings.panel)


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="Source TAB target in each line, or files with fields (--input-format); plain or "
            "compressed; - is stdin.",
            rich_help_panel=StreamSettings.panel,
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The lines of this file are the sources, and the input is an n-best list of s2s "
            "translate --nbest, whose hypotheses are the targets. To choose among them: s2s "
            "rerank.",
            rich_help_panel=StreamSettings.panel,
        ),
    ] = None,
    tag: TagOption = "",
    output: Annotated[
        Path | None,
        _output(
            "-o",
            "--output",
            callback=not_stdout,
            help="Write to this file, once all pairs are scored.",
        ),
    ] = None,
    tokens: Annotated[
        bool,
        _output(
            "--tokens",
            help="Append two TAB-separated columns to each score: the target's tokens and their "
            "log-probabilities, both separated by spaces.",
        ),
    ] = False,
    summary: Annotated[
        bool,
        _output(
            "--summary",
            help="Write only a summary of all lines: log-probability, bits and perplexity per "
            "token, character, word and sentence; the end of a target counts as one of each. To "
            "compare models with different tokenizers, use the values per character or word.",
        ),
    ] = False,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    *,
    settings: Annotated[ScoreSettings, flags(ScoreSettings)],
    stream: Annotated[StreamSettings, flags(StreamSettings, but=("unit", "language", "overlong"))],
    common: CommonOptions,
) -> None:
    """Score pairs: write the log-probability of each target (in nats), one per line, in order.

    A line is empty if the source is empty or scoring failed.

    s2s score pairs.tsv > scores.txt
    paste sources.txt targets.txt | s2s score --summary
    s2s score --source input.txt nbest.txt

    With --json each line is an object: status (ok, empty, failed), score, log_prob, tokens and
    token_scores; with --summary, one document.
    """
    from s2scli.data.lines import STDIN
    from s2scli.pipeline.score import score
    from s2scli.translation.filter import require_inputs
    from s2scli.translation.loading import load_in_torch
    from s2scli.translation.nbest import read_sources

    if source and settings.one_column:
        raise UsageError("--source reads an n-best list: leave --one-column out")
    record_format = _record_format(
        settings, output, as_json=common.json, tokens=tokens, summary=summary
    )
    inputs = files or [STDIN]
    hint = "to score a pair: printf 'SOURCE\\tTARGET\\n' | s2s score"
    require_inputs([*inputs, *([source] if source else [])], hint)
    translator = load_in_torch(common.workspace, models or (), device)
    totals = score(
        *(inputs, output, translator, settings, stream, record_format, common.talk),
        sources=read_sources(source) if source else None,
        tag=tag,
    )
    if summary and common.json:
        common.talk.show_json(totals.as_json())
    elif summary:
        common.talk.show(summary_table(totals))
    if totals.tally.failed.count:
        raise typer.Exit(SOME_FAILED)


def summary_table(totals: "Totals") -> Table:
    """Return one row for each unit."""
    headings = ("per", "count", "log-probability", "bits", "perplexity")
    rows = [
        (
            one.name,
            f"{one.count:,}",
            *(f"{one.mean:.4f}", f"{one.bits:.4f}"),
            f"{one.perplexity:.6g}",
        )
        for one in totals.units
    ]
    whole = ("all", "", f"{totals.log_prob:.4f}", "", "")
    return make_table(headings, [*rows, whole], numbers=headings[1:])


def _record_format(
    settings: ScoreSettings, output: Path | None, *, as_json: bool, tokens: bool, summary: bool
) -> "RecordFormat | None":
    """Return the format of a line, None for no lines; refuse a flag that has no effect."""
    from s2scli.pipeline.score import ScoreFormats

    if summary and "length_penalty" in settings.model_fields_set:
        raise UsageError("--length-penalty has no effect with --summary, which shows the means")
    if summary and output is not None:
        raise UsageError("--output has no effect with --summary, which writes no lines")
    if tokens and (as_json or summary):
        why = "--summary writes no lines" if summary else "--json shows the tokens already"
        raise UsageError(f"{why}: leave --tokens out")
    if summary:
        return None
    formats = ScoreFormats(settings.length_penalty)
    if as_json:
        return formats.json
    return formats.tokens if tokens else formats.plain
