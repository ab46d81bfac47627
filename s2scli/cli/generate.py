"""`s2s generate`."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.flags import OWN, flag_errors, flags, refuse_unread
from s2scli.cli.options import CommonOptions, DeviceOption, ModelOption, utf8
from s2scli.errors import UsageError
from s2scli.report.console import visible
from s2scli.search.settings import GenerateSettings, SearchSettings
from s2scli.settings import Tree

if TYPE_CHECKING:
    from s2scli.translation.results import TargetText


# A vector has no source, and --seed and --temperature apply to the vectors.
NOT_SEARCHED = ("n_best", "max_length_ratio", "seed")
SPELLED = {"temperature": "--token-temperature"}


def command(
    around: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            callback=utf8,
            help="Generate sentences similar to this one.",
            rich_help_panel=GenerateSettings.panel,
        ),
    ] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B",
            callback=utf8,
            help="Interpolate between the vectors of two sentences.",
            rich_help_panel=GenerateSettings.panel,
        ),
    ] = None,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    *,
    settings: Annotated[GenerateSettings, flags(GenerateSettings)],
    overrides: Annotated[
        Tree,
        flags(SearchSettings, but=NOT_SEARCHED, load=False, default=OWN, spelled=SPELLED),
    ],
    common: CommonOptions,
) -> None:
    """Generate sentences from latent vectors, one per line.

    The model must be a VAE (recipe vae); --between also works with an autoencoder.

    s2s generate --between "I am tired." "Where do you live?" --steps 5
    """
    from s2scli.pipeline.generate import Writer

    if around is not None and between is not None:
        raise UsageError("--around and --between cannot be used together")
    _refuse_unused(settings, between is not None)
    writer = Writer.load(common.workspace.find_model(model), device)
    with flag_errors(**SPELLED):
        search_settings = writer.translator.settings({**overrides, "seed": settings.seed})
    refuse_unread(overrides, search_settings, **SPELLED)
    if between is not None:
        codes = writer.interpolate(*between, settings)
    elif around is not None:
        codes = writer.draw_around(around, settings)
    else:
        codes = writer.draw(settings)
    found = writer.write(codes, search_settings)
    if common.json:
        common.talk.show_json({"sentences": [_document(one) for one in found]})
    else:
        _show(one.text for one in found)


def _refuse_unused(settings: GenerateSettings, between: bool) -> None:
    """Refuse a flag that has no effect."""
    unused = ("count", "seed", "temperature") if between else ("steps",)
    for name in unused:
        if name in settings.model_fields_set:
            raise UsageError(f"--{name} has no effect {'with' if between else 'without'} --between")


def _show(texts: Iterable[str]) -> None:
    """Write one sentence per line. On a terminal, control characters are made visible."""
    from s2scli.translation.filter import open_output

    clean = visible if sys.stdout.isatty() else str
    with open_output(None) as write:
        for text in texts:
            write(f"{clean(text)}\n".encode(errors="replace"))


def _document(found: "TargetText") -> dict[str, object]:
    return {
        "text": found.text,
        "score": round(found.score, 6),
        "tokens": found.pieces,
        "token_scores": [round(score, 6) for score in found.token_scores],
    }
