"""`s2s score`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from s2scli.cli.options import (
    DebugOption,
    DeviceOption,
    ModelsOption,
    QuietOption,
    VerboseOption,
    WorkspaceOption,
    flag,
    given,
    load_flags,
)
from s2scli.cli.translate import SOME_FAILED
from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.report.console import Talk
from s2scli.report.tables import make_table
from s2scli.search.settings import ScoreSettings
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from s2scli.pipeline.score import Totals
    from s2scli.translation.records import RecordFormat


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
    models: ModelsOption = None,
    length_penalty: Annotated[
        float | None,
        flag(ScoreSettings, "length_penalty", "--length-penalty", "--lenpen", "--normalize"),
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
    one_column: Annotated[bool | None, flag(ScoreSettings, "one_column", "--one-column")] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="One JSON object a line: status (ok, empty, failed), score, log_prob, tokens and "
            "token_scores. With --summary: one document.",
        ),
    ] = False,
    strict: Annotated[bool | None, flag(StreamSettings, "strict", "--strict")] = None,
    window: Annotated[int | None, flag(StreamSettings, "window")] = None,
    max_wait: Annotated[int | None, flag(StreamSettings, "max_wait")] = None,
    device: DeviceOption = "auto",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    debug: DebugOption = False,
) -> None:
    """Score pairs: the log-probability (natural, in nats) of each target, one a line, in order.

    A line has nothing in it where there is no score: without a source, or where it failed.

    s2s score pairs.tsv > scores.txt

    paste sources.txt targets.txt | s2s score --summary
    """
    from s2scli.data.lines import STDIN
    from s2scli.pipeline.score import score
    from s2scli.translation.filter import require_inputs
    from s2scli.translation.loading import load_in_torch

    _refuse_unused(length_penalty, output, summary)
    inputs = files or [STDIN]
    require_inputs(inputs, "to score a pair: printf 'SOURCE\\tTARGET\\n' | s2s score")
    stream = load_flags(StreamSettings, given(window=window, max_wait=max_wait, strict=strict))
    settings = load_flags(
        ScoreSettings, given(length_penalty=length_penalty, one_column=one_column)
    )
    record_format = _record_format(
        settings.length_penalty, as_json=as_json, tokens=tokens, summary=summary
    )
    translator = load_in_torch(Workspace(workspace), models or (), device)
    talk = Talk(quiet=quiet, verbose=verbose)
    to = None if output == STDIN else output
    totals = score(inputs, to, translator, settings, stream, record_format, talk)
    if summary and as_json:
        talk.show_json(totals.as_json())
    elif summary:
        talk.show(summary_table(totals))
    if totals.tally.failed.count:
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


def _refuse_unused(length_penalty: float | None, output: Path | None, summary: bool) -> None:
    """Refuse a flag that would change nothing."""
    if summary and length_penalty is not None:
        raise UsageError("--length-penalty: of no use with --summary, which shows the means")
    if summary and output is not None:
        raise UsageError("--output: of no use with --summary, which writes no lines")


def _record_format(
    length_penalty: float, *, as_json: bool, tokens: bool, summary: bool
) -> "RecordFormat | None":
    from s2scli.pipeline.score import ScoreFormats

    if tokens and (as_json or summary):
        why = "--summary writes no lines" if summary else "--json shows the tokens already"
        raise UsageError(f"{why}: leave --tokens out")
    if summary:
        return None
    formats = ScoreFormats(length_penalty)
    if as_json:
        return formats.json
    return formats.tokens if tokens else formats.plain
