"""`s2s tune`."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.table import Table
from rich.text import Text

from s2scli.cli.completion import complete_recipe
from s2scli.cli.everyday import RECIPES
from s2scli.cli.flags import flags
from s2scli.cli.options import (
    CommonOptions,
    DeviceOption,
    OverwriteOption,
    SetOption,
    run_option,
)
from s2scli.errors import UsageError
from s2scli.report.console import Talk, write_stdout
from s2scli.report.tables import make_table, whole
from s2scli.training.settings import LimitSettings

if TYPE_CHECKING:
    from s2scli.pipeline.study import Outcome
    from s2scli.pipeline.tune import Tuning


def command(
    trials: Annotated[
        int, run_option(min=1, max=100_000, help="Number of trials of the whole study.")
    ] = 30,
    recipe: Annotated[
        str | None,
        run_option(
            "-r",
            "--recipe",
            metavar="NAME|FILE",
            autocompletion=complete_recipe,
            help="Built-in recipe or TOML file. [default: default]",
        ),
    ] = None,
    assignments: SetOption = None,
    space: Annotated[
        Path | None,
        run_option(
            metavar="FILE",
            help="TOML file of the parameters to tune; by default they follow from the recipe and "
            "the size of the corpus. --dry-run shows them.",
        ),
    ] = None,
    processes: Annotated[
        int,
        run_option(
            min=1,
            max=1000,
            help="Run this many trials at once, each with its share of the threads.",
        ),
    ] = 1,
    dry_run: Annotated[
        bool,
        run_option("-n", "--dry-run", help="Print the parameters as TOML, and run no trials."),
    ] = False,
    restart: Annotated[
        bool, run_option("--restart", help="Remove the existing study and start a new one.")
    ] = False,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    *,
    limits: Annotated[LimitSettings, flags(LimitSettings, default=RECIPES)],
    common: CommonOptions,
) -> None:
    """Find better settings for a recipe: train it many times, and write the best as a recipe.

    The first trial has the recipe's own settings. Every second one after it has settings near
    those of the best so far; Optuna proposes the others from the scores so far. Trials that are
    worse than the median of the others are stopped. The budget is that of one trial. The study and
    its best run are in WORKSPACE/tune; the workspace's own run and model stay as they are. Run the
    same command again to continue the study.

    s2s tune --trials 30 --minutes 3
    s2s tune -r bahdanau2015 --minutes 5 --processes 2
    s2s tune --dry-run > space.toml; s2s tune --space space.toml --minutes 3
    """
    from s2scli.config import DEFAULT_RECIPE
    from s2scli.pipeline.space import space_text
    from s2scli.pipeline.tune import TuneRequest, plan, tune

    talk = common.talk
    if dry_run and common.json:
        raise UsageError("--dry-run prints TOML: leave --json out")
    request = TuneRequest(
        trials,
        limits.model_dump(exclude_unset=True),
        recipe or DEFAULT_RECIPE,
        assignments or (),
        space,
        processes,
        device,
        restart,
        overwrite,
    )
    if dry_run:
        write_stdout(space_text(plan(common.workspace, request, talk)))
        return
    found = tune(common.workspace, request, talk)
    if common.json:
        talk.show_json(asdict(found))
    else:
        show(found, talk)
    common.exit_if_stopped(found.signal, restarted=restart)
    if found.recipe:
        talk.say(
            f"the best recipe is {found.recipe}, its model {found.model}; the best of many scores "
            "is too good by chance, so evaluate the model on other sentences"
        )
        common.say_next(f"train -r {shlex.quote(found.recipe)}")


def show(tuning: "Tuning", talk: Talk) -> None:
    """Show the trials, best first, and the importance of each parameter."""
    # wider than a narrow terminal, so that no number is cut off
    talk.show(whole(trials_table(tuning), talk.stdout), soft_wrap=True)
    if tuning.importances:
        rows = [(name, f"{share:.0%}") for name, share in tuning.importances.items()]
        talk.show(Text())
        talk.show(make_table(("parameter", "importance"), rows, numbers=("importance",)))


def trials_table(tuning: "Tuning") -> Table:
    """Return one row for each trial, best first."""
    trials = [trial for trial in tuning.trials if trial.state != "waiting"]
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    headings = ("trial", tuning.metric, "minutes", "steps", "state", *names)
    rows = [
        (*_facts(trial), *(_shown(trial.values.get(name)) for name in names)) for trial in trials
    ]
    return make_table(headings, rows, numbers=[name for name in headings if name != "state"])


def _facts(trial: "Outcome") -> tuple[str, ...]:
    return (
        str(trial.number),
        _shown(trial.score),
        "" if trial.minutes is None else f"{trial.minutes:.1f}",
        "" if trial.step is None else f"{trial.step:,}",
        f"{trial.state}: {trial.error}" if trial.error else trial.state,
    )


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)
