"""`s2s compare`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from s2scli.cli.completion import complete_recipe
from s2scli.cli.evaluate import signatures
from s2scli.cli.flags import flags
from s2scli.cli.options import (
    SOME_FAILED,
    CommonOptions,
    DeviceOption,
    OverwriteOption,
    RestartOption,
    SetOption,
    run_option,
    translate_example,
)
from s2scli.metrics import metric_names, value_and_interval
from s2scli.metrics.choice import metric_choice
from s2scli.metrics.settings import MetricSettings
from s2scli.report.console import Talk
from s2scli.report.tables import make_table, whole
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree
from s2scli.training.settings import LimitSettings

if TYPE_CHECKING:
    from s2scli.pipeline.compare import Comparison, Result


def command(
    recipes: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE",
            autocompletion=complete_recipe,
            help="Built-in recipes or TOML files.",
        ),
    ],
    assignments: SetOption = None,
    seeds: Annotated[
        list[int] | None,
        run_option(
            "--seed", min=0, metavar="INT", help="Train every recipe with this seed; repeatable."
        ),
    ] = None,
    restart: RestartOption = False,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    *,
    limits: Annotated[LimitSettings, flags(LimitSettings, default="the recipe's")],
    metrics: Annotated[Tree, flags(metric_choice("outputs"), load=False)],
    settings: Annotated[MetricSettings, flags(MetricSettings)],
    search_settings: Annotated[
        SearchSettings, flags(SearchSettings, only=("beam_size",), default="the recipe's")
    ],
    common: CommonOptions,
) -> None:
    """Train several recipes on one corpus with the same budget, and rank them by test score.

    Each run is saved in WORKSPACE/compare/NAME; run the same command again to resume. Recipes are
    ranked by the first metric in the list below that is given; the default is BLEU, for sound the
    character error rate. Recipes for target pictures are ranked by nats per picture. In the table,
    p is the p-value of the test that the best recipe is better than this one (paired bootstrap,
    Koehn 2004).

    s2s compare elman cho2014 bahdanau2015 --max-minutes 10
    s2s compare default mine.toml --max-steps 2000 --exact-match
    """
    from s2scli.pipeline.compare import CompareRequest, compare

    talk = common.talk
    request = CompareRequest(
        recipes,
        limits.model_dump(exclude_unset=True),
        metric_names(metrics),
        assignments or (),
        seeds or (),
        search_settings.model_dump(exclude_unset=True),
        settings,
        device,
        restart,
        overwrite,
    )
    found = compare(common.workspace, request, talk)
    if common.json:
        talk.show_json(found.as_json())
    else:
        show(found, talk)
    common.exit_if_stopped(found.signal, restarted=restart)
    if found.results:
        model = found.results[0].model
        common.say_next(translate_example(Path(model), f"-m {shlex.quote(model)}"))
    if found.failures:
        raise typer.Exit(SOME_FAILED)


def show(comparison: "Comparison", talk: Talk) -> None:
    """Show the ranking, the recipes that failed, and the sentences that were scored."""
    if comparison.results:
        # wider than a narrow terminal, so that no number is cut off
        talk.show(whole(results_table(comparison.results), talk.stdout), soft_wrap=True)
    if comparison.failures:
        rows = [(failure.recipe, failure.error) for failure in comparison.failures]
        talk.show(Group(Text(), make_table(("recipe", "error"), rows)))
    if comparison.results:
        about = Text(f"\n{comparison.scored}, {comparison.sentences:,} {comparison.noun}")
        talk.show(about + signatures(comparison.results[0].scores), soft_wrap=True)


def results_table(results: "tuple[Result, ...]") -> Table:
    """Return one row for each recipe, best first."""
    names = [score.name for score in results[0].scores]
    headings = (
        *("recipe", "parameters", "minutes", "steps", "tokens/s", "cross-entropy"),
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
            "" if result.cross_entropy is None else f"{result.cross_entropy:.3f}",
            *(cell for score in result.scores for cell in value_and_interval(score)),
            "" if result.p is None else f"{result.p:.3f}",
        )
        for result in results
    ]
    return make_table(headings, rows, numbers=headings[1:])
