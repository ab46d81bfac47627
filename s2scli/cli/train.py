"""`s2s train`."""

import os
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.completion import complete_model, complete_recipe
from s2scli.cli.everyday import RECIPES, EverydayOptions, check, refuse_twice
from s2scli.cli.flags import flags
from s2scli.cli.options import (
    Common,
    CommonOptions,
    DeviceOption,
    OverwriteOption,
    RestartOption,
    SetOption,
    run_option,
    translate_example,
)
from s2scli.errors import UsageError
from s2scli.settings import flag_of
from s2scli.training.settings import LimitSettings

if TYPE_CHECKING:
    from s2scli.pipeline.train import TrainRequest
    from s2scli.training.world import World


def command(
    recipe: Annotated[
        str | None,
        run_option(
            "-r",
            "--recipe",
            metavar="NAME|FILE",
            autocompletion=complete_recipe,
            help="Built-in recipe or TOML file. [default: default; when a run is resumed, its own "
            "recipe; with --init-from, the model's recipe]",
        ),
    ] = None,
    assignments: SetOption = None,
    restart: RestartOption = False,
    overwrite: OverwriteOption = False,
    init_from: Annotated[
        Path | None,
        run_option(
            metavar="DIR",
            autocompletion=complete_model,
            help="Start a new run from the weights of this model folder, as far as they fit. Use "
            "its tokenizer if the workspace has none.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    processes: Annotated[
        int,
        run_option(
            min=1,
            help="Train in this many processes on this machine, one per GPU or some per CPU. Each "
            "batch is divided between them, so the result does not depend on their number except "
            "for rounding and dropout.",
        ),
    ] = 1,
    max_restarts: Annotated[
        int,
        run_option(
            min=0,
            help="With --processes: start all processes again from the last checkpoint, at most "
            "this many times, if one is killed or crashes.",
        ),
    ] = 0,
    *,
    everyday: EverydayOptions,
    limits: Annotated[LimitSettings, flags(LimitSettings, default=RECIPES)],
    common: CommonOptions,
    context: typer.Context,
) -> None:
    """Train a model, validate it, and keep the best.

    To resume a run that was stopped or killed, run the same command again.

    s2s train --max-minutes 30
    s2s train -r bahdanau2015 --lr 0.0005 --dropout 0.3
    s2s train -r vaswani2017 --size small
    s2s train --init-from other/model
    s2s train --processes 2
    """
    from s2scli.pipeline.train import TrainRequest, check_request
    from s2scli.training.distributed import is_one_of_several, joined

    given = limits.model_dump(exclude_unset=True)
    check(everyday)
    refuse_twice(everyday, assignments or ())
    request = TrainRequest(
        recipe, assignments or (), given, device, restart, init_from, overwrite, everyday
    )
    if max_restarts and processes == 1 and not is_one_of_several(os.environ):
        raise UsageError("--max-restarts is for several processes; add --processes N")
    if processes > 1 and not is_one_of_several(os.environ):
        from s2scli.pipeline.processes import launch

        check_request(common.workspace, request, common.talk)
        arguments = [*context.meta["s2s.arguments"], "--overwrite"]  # the user was asked
        raise typer.Exit(launch(arguments, processes, max_restarts, common.talk))
    with joined(os.environ) as world:
        talk = world.choose(common.talk, common.talk.silent())
        _train(request, given, replace(common, talk=talk), world)


def _train(request: "TrainRequest", given: Collection[str], common: Common, world: "World") -> None:
    """Train, and show the report.

    Args:
        request: the options of the run.
        given: the names of the limits on the command line.
        common: the workspace, and how to show things.
        world: the processes of the run.
    """
    from s2scli.pipeline.train import train

    talk = common.talk
    report = train(common.workspace, request, talk, world)
    if common.json:
        talk.show_json(asdict(report))
    talk.say(
        f"{report.reason}: step {report.step}, {report.epochs:.1f} epochs, "
        f"{report.minutes:.1f} minutes"
    )
    if report.signal:
        talk.say("saved; rerun the same command to resume")
        raise typer.Exit(128 + report.signal)
    steps = ", ".join(map(str, report.averaged or [report.best_step]))
    which = "the mean of steps" if report.averaged else "of step"
    talk.say(f"the best model is {which} {steps}, in {common.workspace.model}")
    talk.say(report.outlook.sentence)
    if report.limit:
        option = flag_of(report.limit)
        without = f"without {option} or " if report.limit in given else ""
        higher = "limit" if without else option
        talk.say(f"to continue training, rerun {without}with a higher {higher}")
    common.say_next("evaluate", translate_example(common.workspace.model))
