"""`s2s generate`."""

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.flags import OWN, flag_errors, flags
from s2scli.cli.options import CommonOptions, DeviceOption, ModelOption, not_stdout, utf8
from s2scli.errors import UsageError
from s2scli.report.console import Talk, json_text, visible, write_stdout
from s2scli.search.settings import GenerateSettings, SearchSettings
from s2scli.settings import Tree

if TYPE_CHECKING:
    from s2scli.translation.results import TargetText


# A vector has no source, and --seed and --temperature apply to the vectors.
NOT_SEARCHED = ("n_best", "max_length_ratio", "coverage_penalty", "ctc_weight", "mbr", "seed")
SPELLED = {"temperature": "--token-temperature"}


def command(
    around: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT|FILE",
            callback=utf8,
            help="Generate outputs similar to this sentence or picture file.",
            rich_help_panel=GenerateSettings.panel,
        ),
    ] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B",
            callback=utf8,
            help="Interpolate between the vectors of two sentences or picture files.",
            rich_help_panel=GenerateSettings.panel,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            callback=not_stdout,
            help="Write to this file. Pictures are written as one sheet if its name ends in .png, "
            "and otherwise into a folder of this name.",
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
    """Generate sentences, one per line, or pictures, from latent vectors.

    The model must be a VAE (recipe vae); --between also works with an autoencoder.

    s2s generate --between "I am tired." "Where do you live?" --steps 5
    s2s generate -n 64 -o sheet.png
    """
    from s2scli.pipeline.generate import Writer
    from s2scli.pipeline.pictures import require_place, writes_pictures

    if around is not None and between is not None:
        raise UsageError("--around and --between cannot be used together")
    writer = Writer.load(common.workspace.find_model(model), device)
    pictures = writes_pictures(writer.translator) and not common.json
    if pictures:
        require_place(output, common.talk)
    with flag_errors(**SPELLED):
        search_settings = writer.translator.settings({**overrides, "seed": settings.seed})
    search_settings.refuse_unread(overrides, **SPELLED)
    _refuse_unused(settings, between is not None, sample=search_settings.sample)
    if between is not None:
        codes = writer.interpolate(*between, settings)
    elif around is not None:
        codes = writer.draw_around(around, settings)
    else:
        codes = writer.draw(settings)
    found = writer.write(codes, search_settings)
    if common.json:
        key = "pictures" if writes_pictures(writer.translator) else "sentences"
        document = json_text({key: [_document(one) for one in found]})
        common.write(document, output)
    elif pictures:
        row = settings.steps if between else math.ceil(math.sqrt(settings.count))
        _show_pictures([one.text for one in found], row, output, common.talk)
    else:
        _show((one.text for one in found), output)


def _refuse_unused(settings: GenerateSettings, between: bool, *, sample: bool) -> None:
    """Refuse a flag that has no effect; a seed has one where tokens are sampled."""
    unused = ("count", "temperature", *("seed",) * (not sample)) if between else ("steps",)
    for name in unused:
        if name in settings.model_fields_set:
            raise UsageError(f"--{name} has no effect {'with' if between else 'without'} --between")


def _show_pictures(uris: Sequence[str], row: int, output: Path | None, talk: Talk) -> None:
    """Write pictures: a drawing in the terminal, a sheet with rows of `row`, or single files."""
    from s2scli.pipeline.pictures import (
        DIGITS,
        PNG,
        PictureFolder,
        draw,
        require_folder,
        write_sheet,
    )

    if output is None:
        write_stdout(f"{draw(uris, talk)}\n")
    elif output.suffix.lower() == PNG and not output.is_dir():
        write_sheet(output, uris, row)
    else:
        require_folder(output)
        files = PictureFolder(output, max(DIGITS, len(str(len(uris)))))
        for index, uri in enumerate(uris):
            files.add(index, [uri])
        files.report(talk)


def _show(texts: Iterable[str], output: Path | None) -> None:
    """Write one sentence per line. On a terminal, control characters are made visible."""
    from s2scli.translation.outputs import open_output

    clean = visible if output is None and sys.stdout.isatty() else str
    with open_output(output) as out:
        for text in texts:
            out.write(f"{clean(text)}\n".encode(errors="replace"))


def _document(found: "TargetText") -> dict[str, object]:
    return {
        "text": found.text,
        "score": round(found.score, 6),
        "tokens": found.pieces,
        "token_scores": [round(score, 6) for score in found.token_scores],
    }
