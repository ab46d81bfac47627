"""`s2s train`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

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
from s2scli.report.console import Talk
from s2scli.training.settings import LimitSettings
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace


def command(
    recipe: Annotated[
        str | None,
        typer.Option(
            "-r",
            "--recipe",
            metavar="NAME|FILE",
            help="Built-in recipe or TOML file \\[default: default; the run's own when resuming; "
            "the model's with --init-from].",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="Change one setting of the recipe."
        ),
    ] = None,
    max_minutes: Annotated[float | None, flag(LimitSettings, "max_minutes")] = None,
    max_steps: Annotated[int | None, flag(LimitSettings, "max_steps")] = None,
    max_epochs: Annotated[int | None, flag(LimitSettings, "max_epochs")] = None,
    patience: Annotated[int | None, flag(LimitSettings, "patience")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Remove the run that is there and begin a new one.")
    ] = False,
    init_from: Annotated[
        Path | None,
        typer.Option(
            "--init-from",
            metavar="DIR",
            help="Begin a new run with the weights of this model folder, where they fit, and with "
            "its tokenizer, where there is none yet.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a model: validate, keep the best, resume where it stopped.

    The same command goes on with a run that was stopped, or killed, exactly where it was.

    Examples: s2s train · s2s train --max-minutes 30 · s2s train -r bahdanau2015 ·
    s2s train --set training.seed=2 · s2s train --init-from other/model
    """
    from s2scli.pipeline.train import TrainRequest, train

    talk = Talk(quiet=quiet, verbose=verbose)
    limits = given(
        max_minutes=max_minutes, max_steps=max_steps, max_epochs=max_epochs, patience=patience
    )
    load_flags(LimitSettings, limits)  # a wrong one is named as the flag it is
    request = TrainRequest(recipe, assignments or (), limits, device, restart, init_from)
    report = train(Workspace(workspace), request, talk)
    if json:
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
    talk.say(f"the best model is {which} {steps}, in {Workspace(workspace).model}")
    if report.limit:
        option = f"--{report.limit.replace('_', '-')}"
        without = f"without {option} or " if report.limit in limits else ""
        higher = "limit" if without else option
        talk.say(f"to continue training, rerun {without}with a higher {higher}")
    say_next(talk, workspace, "evaluate", "translate < input.txt")
