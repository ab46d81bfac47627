"""`s2s inspect alignment`: the layer and the step whose attention aligns words best."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from s2scli.cli.completion import complete_model
from s2scli.cli.options import CommonOptions, DeviceOption, ModelOption
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_alignment import AlignmentChoice


def command(
    reverse: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            readable=False,
            autocompletion=complete_model,
            help="Model folder of the reverse direction, trained on the same pairs; the best layer "
            "and step are then those whose links disagree least with this model's.",
        ),
    ] = None,
    pairs: Annotated[
        int,
        typer.Option(
            "--pairs", "-n", min=1, max=1_000_000, help="Maximum number of validation pairs."
        ),
    ] = 1000,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Record the best layer and step with the model; s2s translate --alignment and "
            "s2s evaluate --aer then use them.",
        ),
    ] = False,
    shortlist: Annotated[
        bool,
        typer.Option(
            "--shortlist",
            help="Align the train split too, with the reading that the model uses then, and record "
            "with the model the target tokens that each source token is aligned to most often, for "
            "s2s translate --shortlist.",
        ),
    ] = False,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    *,
    common: CommonOptions,
) -> None:
    """Find the layer and the step whose attention aligns words best.

    A decoder writes a token at one step and reads it at the next, where some layers align better
    (Shift-Att: Chen et al. 2020). The choice is made on pairs of the valid split, without gold
    alignments: by the agreement with a model of the reverse direction, or without one by the mutual
    information of the linked pieces. s2s translate --alignment and s2s evaluate --aer use it.

    s2s inspect alignment --save --shortlist
    s2s inspect alignment --reverse ../fra-eng/model --save
    """
    from s2scli.pipeline.inspect_alignment import (
        inspect_alignment,
        keep_reading,
        keep_shortlist,
    )

    found = inspect_alignment(common.workspace, model, reverse, pairs, device, common.talk)
    common.show(_document(found), _table(found))
    if save and found.best != found.used:
        folder = keep_reading(common.workspace, model, found.best)
        common.talk.say(f"recorded in {folder}: alignments are read from {found.best.name}")
    elif found.best != found.used:
        common.talk.say("--save records the best reading with the model")
    if shortlist:
        folder = keep_shortlist(common.workspace, model, device, common.talk)
        common.talk.say(f"recorded a shortlist in {folder}")
        other = f" -m {shlex.quote(str(model))}" if model else ""
        common.say_next(f"translate{other} --shortlist < input.txt")


def _table(found: "AlignmentChoice") -> Table:
    """Return one row for each reading."""
    headings = ["attention of", "mutual information, bits"]
    reverse = any(score.disagreement is not None for score in found.scores)
    rows = []
    for score in found.scores:
        marks = ["best"] * (score.reading == found.best) + ["used"] * (score.reading == found.used)
        apart = [] if score.disagreement is None else [f"{score.disagreement:.1f}"]
        rows.append([score.reading.name, f"{score.information:.3f}", *apart, ", ".join(marks)])
    headings += ["AER against the reverse model"] * reverse
    return make_table([*headings, ""], rows, numbers=headings[1:])


def _document(found: "AlignmentChoice") -> dict[str, object]:
    return {
        "pairs": found.pairs,
        "used": found.used.model_dump(),
        "best": found.best.model_dump(),
        "readings": [
            {
                **score.reading.model_dump(),
                "mutual_information_bits": score.information,
                "disagreement": score.disagreement,
            }
            for score in found.scores
        ],
    }
