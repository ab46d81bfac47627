"""`s2s train`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from s2scli.cli.completion import complete_model, complete_recipe
from s2scli.cli.everyday import RECIPES, EverydayOptions, check, refuse_twice
from s2scli.cli.flags import flags
from s2scli.cli.options import (
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
    budget: Annotated[
        str | None,
        run_option(
            metavar="TIME",
            help="Fit the recipe to this training time, such as 20m or 1h30m: measure the speed, "
            "then choose the size of the model, the batches and a schedule that ends in time.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    *,
    everyday: EverydayOptions,
    limits: Annotated[LimitSettings, flags(LimitSettings, default=RECIPES)],
    common: CommonOptions,
) -> None:
    """Train a model, validate it, and keep the best.

    To resume a run that was stopped or killed, run the same command again.

    s2s train --budget 30m
    s2s train --max-minutes 30
    s2s train -r bahdanau2015 --lr 0.0005 --dropout 0.3
    s2s train -r vaswani2017 --size small
    s2s train --init-from other/model
    """
    from s2scli.pipeline.budget import minutes_of
    from s2scli.pipeline.train import TrainRequest, train

    talk = common.talk
    given = limits.model_dump(exclude_unset=True)
    if budget and given.keys() - {"patience"}:
        flag = flag_of(min(given.keys() - {"patience"}))
        raise UsageError(f"--budget sets the limits; leave out {flag}")
    check(everyday)
    refuse_twice(everyday, assignments or ())
    request = TrainRequest(
        recipe,
        assignments or (),
        given,
        device,
        restart,
        init_from,
        overwrite,
        everyday,
        minutes_of(budget) if budget else None,
    )
    report = train(common.workspace, request, talk)
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
    if report.limit and not budget:
        option = flag_of(report.limit)
        without = f"without {option} or " if report.limit in given else ""
        higher = "limit" if without else option
        talk.say(f"to continue training, rerun {without}with a higher {higher}")
    common.say_next("evaluate", translate_example(common.workspace.model))
