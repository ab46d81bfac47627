"""`s2s train`."""

import os
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
from s2scli.report.tables import make_table
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
    override: Annotated[
        bool,
        run_option(
            "--override",
            help="Resume the run with changed settings. Safe to change: the learning rate, weight "
            "decay, schedule, dropout, token dropout, scheduled sampling, R-Drop, SimCut, gradient "
            "clipping, accumulate, precision, and how often to validate, save and log. "
            "All other changes are refused.",
        ),
    ] = False,
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
    rehearse: Annotated[
        bool,
        run_option(
            "--rehearse",
            help="Do not train: try the whole life of the run in about a minute, in a folder that "
            "is removed, and print what it needs.",
        ),
    ] = False,
    device: DeviceOption = "auto",
    processes: Annotated[
        int,
        run_option(
            min=1,
            help="Train in this many processes on this machine, one per GPU or some per CPU. Each "
            "batch is divided between them, so the result does not depend on their number except "
            "for rounding, dropout, and means over a batch (free bits, batch norm of audio).",
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

    s2s train --rehearse
    s2s train --budget 30m
    s2s train --max-minutes 30
    s2s train -r bahdanau2015 --lr 0.0005 --dropout 0.3
    s2s train -r vaswani2017 --size small
    s2s train --init-from other/model
    s2s train --lr 0.0002 --override
    s2s train --processes 2
    """
    from s2scli.pipeline.budget import minutes_of
    from s2scli.pipeline.train import TrainRequest, check_request
    from s2scli.training.distributed import is_one_of_several, joined

    given = limits.model_dump(exclude_unset=True)
    minutes = None if budget is None else minutes_of(budget)
    if minutes and given.keys() - {"patience"}:
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
        override,
        minutes,
    )
    several = is_one_of_several(os.environ)
    if (minutes or rehearse) and (processes > 1 or several):
        flag = "--budget" if minutes else "--rehearse"
        raise UsageError(
            f"{flag} measures one process; run it without --processes and without torchrun"
        )
    if max_restarts and processes == 1 and not several:
        raise UsageError("--max-restarts is for several processes; add --processes N")
    if rehearse:
        _rehearse(request, common)
        return
    if processes > 1 and not several:
        from s2scli.pipeline.processes import launch

        check_request(common.workspace, request, common.talk)
        arguments = [*context.meta["s2s.arguments"], "--overwrite"]  # the user was asked
        raise typer.Exit(launch(arguments, processes, max_restarts, common.talk))
    with joined(os.environ) as world:
        talk = world.choose(common.talk, common.talk.silent())
        _train(request, replace(common, talk=talk), world)


def _train(request: "TrainRequest", common: Common, world: "World") -> None:
    """Train, and show the report.

    Args:
        request: the options of the run.
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
    common.exit_if_stopped(report.signal, restarted=request.restart)
    steps = ", ".join(map(str, report.averaged or [report.best_step]))
    which = "the mean of steps" if report.averaged else "of step"
    talk.say(f"the best model is {which} {steps}, in {common.workspace.model}")
    talk.say(report.outlook.sentence)
    if report.limit and not request.budget:
        talk.say(f"to continue training, rerun with a higher {flag_of(report.limit)}")
    common.say_next("evaluate", translate_example(common.workspace.model))


def _rehearse(request: "TrainRequest", common: Common) -> None:
    from s2scli.pipeline.rehearse import rehearse

    found = rehearse(common.workspace, request, common.talk)
    memory = f"{found.peak_memory_mb:,.0f} MB" if found.peak_memory_mb else "unknown"
    rows = [
        ("peak memory", memory),
        (
            "an epoch",
            f"{found.epoch_minutes:.1f} minutes ({found.epoch_cpu_minutes:.1f} of processor time), "
            f"{found.updates_per_epoch:,} updates",
        ),
        ("a validation", f"{found.validation_seconds:.1f} seconds or less"),
        ("a translation", f"{found.decoding_seconds:.3f} seconds for each text, before training"),
        ("a checkpoint", f"{found.checkpoint_mb:,.1f} MB"),
        ("disk", f"{found.disk_mb:,.1f} MB, at most {found.most_disk_mb:,.1f} MB"),
        ("one batch", f"loss from {found.overfit[0]:.2f} to {found.overfit[1]:.2f}"),
    ]
    common.show(asdict(found), make_table((f"recipe {found.recipe}", "needs"), rows))
    common.talk.say(
        f"killed, resumed, validated and translated as expected, in {found.seconds:.0f} seconds"
    )
    if found.learns:
        common.say_next("train")
