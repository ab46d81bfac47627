"""`s2s compare`."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from s2scli.cli.options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    QuietOption,
    VerboseOption,
    WorkspaceOption,
    flag,
    given,
    load_flags,
    say_next,
)
from s2scli.metrics.settings import MetricSettings
from s2scli.report.console import Talk
from s2scli.report.tables import make_table
from s2scli.search.settings import SearchSettings
from s2scli.training.settings import LimitSettings
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from s2scli.metrics.score import Score
    from s2scli.pipeline.compare import Comparison, Result

SOME_FAILED = 3


def command(
    recipes: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE...", help="Built-in recipes and TOML files."),
    ],
    max_minutes: Annotated[float | None, flag(LimitSettings, "max_minutes")] = None,
    max_steps: Annotated[int | None, flag(LimitSettings, "max_steps")] = None,
    max_epochs: Annotated[int | None, flag(LimitSettings, "max_epochs")] = None,
    patience: Annotated[int | None, flag(LimitSettings, "patience", default="the recipe's")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="Change one setting of every recipe."
        ),
    ] = None,
    seeds: Annotated[
        list[int] | None,
        typer.Option("--seed", min=0, help="Train every recipe with this seed; may be repeated."),
    ] = None,
    bleu: Annotated[bool, typer.Option("--bleu", help="Rank by sacreBLEU's BLEU.")] = False,
    chrf: Annotated[bool, typer.Option("--chrf", help="Rank by character n-gram F-score.")] = False,
    ter: Annotated[bool, typer.Option("--ter", help="Rank by translation edit rate.")] = False,
    exact_match: Annotated[
        bool,
        typer.Option("--exact-match", help="Rank by the share of outputs that are the reference."),
    ] = False,
    tokenize: Annotated[str | None, flag(MetricSettings, "tokenize")] = None,
    resamples: Annotated[int | None, flag(MetricSettings, "resamples")] = None,
    beam_size: Annotated[
        int | None, flag(SearchSettings, "beam_size", default="the recipe's")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Remove the runs of these recipes and begin anew.")
    ] = False,
    device: DeviceOption = "auto",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    debug: DebugOption = False,
) -> None:
    r"""Train recipes under one budget on one corpus, and rank them by their test scores.

    Each lives in WORKSPACE/compare/NAME; the same command goes on where it was stopped.
    The first metric below that is asked for ranks. \[default: BLEU]
    p: how likely the best is no better than this one (paired bootstrap, Koehn 2004).

    Examples: s2s compare elman cho2014 bahdanau2015 --max-minutes 10 ·
    s2s compare default mine.toml --max-steps 2000 --exact-match
    """
    from s2scli.pipeline.compare import CompareRequest, compare

    talk = Talk(quiet=quiet, verbose=verbose)
    flags = {"bleu": bleu, "chrf": chrf, "ter": ter, "exact_match": exact_match}
    limits = given(
        max_minutes=max_minutes, max_steps=max_steps, max_epochs=max_epochs, patience=patience
    )
    load_flags(LimitSettings, limits)  # a wrong one is found before anything is trained
    search = given(beam_size=beam_size)
    load_flags(SearchSettings, search)
    request = CompareRequest(
        recipes,
        limits,
        tuple(name for name, asked in flags.items() if asked) or ("bleu",),
        assignments or (),
        seeds or (),
        search,
        load_flags(MetricSettings, given(tokenize=tokenize, resamples=resamples)),
        device,
        restart,
    )
    found = compare(Workspace(workspace), request, talk)
    if json:
        talk.show_json(found.as_json())
    else:
        show(found, talk)
    if found.signal:
        talk.say("saved; rerun the same command to resume")
        raise typer.Exit(128 + found.signal)
    if found.results:
        model = shlex.quote(found.results[0].model)
        say_next(talk, workspace, f"translate -m {model} < input.txt")
    if found.failures:
        raise typer.Exit(SOME_FAILED)


def show(comparison: "Comparison", talk: Talk) -> None:
    """Show the ranking, the recipes that failed, and what the scores are of."""
    if comparison.results:
        # wider than a narrow terminal rather than cut: no figure may be lost
        talk.show(whole(results_table(comparison.results), talk), soft_wrap=True)
    if comparison.failures:
        rows = [(failure.recipe, failure.error) for failure in comparison.failures]
        talk.show(Group(Text(), make_table(("recipe", "why it has no result"), rows)))
    if comparison.results:
        scores = comparison.results[0].scores
        lines = (f"{score.name}|{score.signature}" for score in scores)
        about = f"{comparison.scored}, {comparison.sentences:,} sentences"
        talk.show(Text("\n".join(("", about, *lines))), soft_wrap=True)


def whole(table: Table, talk: Talk) -> Table:
    """Return the table at the width it needs."""
    console = talk.stdout
    table.width = console.measure(table, options=console.options.update(max_width=1000)).maximum
    return table


def results_table(results: "tuple[Result, ...]") -> Table:
    """Return one row for each recipe, best first."""
    names = [score.name for score in results[0].scores]
    headings = (
        *("recipe", "parameters", "minutes", "steps", "tokens/s", "valid loss"),
        *(heading for name in names for heading in (name, "95 % interval")),
        "p",
    )
    rows = [
        (
            result.recipe,
            f"{result.parameters / 1e6:.2f} M",
            f"{result.minutes:.1f}",
            f"{result.steps:,}",
            "" if result.tokens_per_second is None else f"{result.tokens_per_second:,.0f}",
            "" if result.loss is None else f"{result.loss:.3f}",
            *(cell for score in result.scores for cell in _score_cells(score)),
            "" if result.p is None else f"{result.p:.3f}",
        )
        for result in results
    ]
    return make_table(headings, rows, numbers=headings[1:])


def _score_cells(score: "Score") -> tuple[str, str]:
    interval = f"{score.interval[0]:.2f} to {score.interval[1]:.2f}" if score.interval else ""
    return f"{score.value:.2f}", interval
