"""`s2s rerank`."""

import functools
from pathlib import Path
from typing import Annotated, Any

import typer

from s2scli.cli.completion import complete_model
from s2scli.cli.flags import flags
from s2scli.cli.options import SOME_FAILED, CommonOptions, DeviceOption, TagOption, not_stdout
from s2scli.errors import UsageError
from s2scli.search.settings import INPUT, RerankSettings

_model: Any = functools.partial(
    typer.Option,
    metavar="DIR",
    readable=False,
    autocompletion=complete_model,
    rich_help_panel="Engine",
)


def command(
    nbest: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="The n-best list: what s2s translate wrote with --nbest or --json; plain or "
            "compressed; - is stdin.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The sources of a list in text, one per line. A list in JSON has its sources.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            callback=not_stdout,
            help="Write to this file.",
            rich_help_panel=RerankSettings.panel,
        ),
    ] = None,
    models: Annotated[
        list[Path] | None,
        _model(
            "-m",
            "--model",
            help="A model of the same direction, such as one that writes from right to left "
            "(s2s train-tokenizer --right-to-left): it scores each hypothesis, given the source; "
            "repeatable. Models may have different tokenizers.",
        ),
    ] = None,
    reverse: Annotated[
        list[Path] | None,
        _model(
            "--reverse",
            help="A model of the reverse direction (s2s prepare --swap): it scores the source, "
            "given each hypothesis; repeatable.",
        ),
    ] = None,
    weights: Annotated[
        list[float] | None,
        typer.Option(
            "--weight",
            metavar="FLOAT",
            help="The weights of the scores in the list, of each --model and of each --reverse, in "
            "this order, one option each. Choose them on the valid split. [default: 1 each]",
            rich_help_panel=RerankSettings.panel,
        ),
    ] = None,
    device: DeviceOption = "auto",
    tag: TagOption = "",
    *,
    settings: Annotated[RerankSettings, flags(RerankSettings)],
    common: CommonOptions,
) -> None:
    """Choose again among the hypotheses of an n-best list, with the scores of more models.

    The score of a hypothesis is the weighted sum of its score in the list and its score by each
    model, a log-probability divided by length^A. The best hypothesis is written, one line for each
    source. With --nbest, each line is `line ||| hypothesis ||| scores ||| sum`, as in Moses.

    s2s translate --nbest 10 --json < input.txt | s2s rerank -m R2L/model > output.txt
    s2s rerank list.txt --source input.txt --reverse REV/model --weight 1 --weight 0.5
    """
    from s2scli.data.lines import STDIN
    from s2scli.pipeline import rerank as story
    from s2scli.translation.filter import require_inputs
    from s2scli.translation.loading import load_in_torch

    if not models and not reverse:
        raise UsageError("give a model that scores the hypotheses: --model DIR or --reverse DIR")
    path = nbest or STDIN
    require_inputs([path, *([source] if source else [])], "make one: s2s translate --nbest 10")
    scorers = [
        story.Scorer(load_in_torch(common.workspace, [folder], device), backward)
        for folders, backward in ((models or (), False), (reverse or (), True))
        for folder in folders
    ]
    many = "n_best" in settings.model_fields_set
    shape = story.moses_lines if many else story.best_text
    request = story.RerankRequest(
        *(path, source, output),
        tuple(weights or [1.0] * (len(scorers) + 1)),
        settings,
        story.json_text if common.json else shape,
        tag,
    )
    if story.rerank(scorers, request, common.talk):
        raise typer.Exit(SOME_FAILED)
