"""`s2s train-tokenizer`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group

from s2scli.cli.completion import complete_model
from s2scli.cli.flags import flags
from s2scli.cli.options import CommonOptions, OverwriteOption, WorkersOptions
from s2scli.errors import UsageError
from s2scli.report.tables import make_table
from s2scli.tokenizer.settings import TokenizerSettings

if TYPE_CHECKING:
    from rich.table import Table

    from s2scli.pipeline.train_tokenizer import PictureQuality, TokenizerReport


def command(
    model: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            autocompletion=complete_model,
            help="Train nothing: copy the tokenizer of this model folder.",
            rich_help_panel=TokenizerSettings.panel,
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    *,
    settings: Annotated[TokenizerSettings, flags(TokenizerSettings)],
    sharing: WorkersOptions,
    common: CommonOptions,
) -> None:
    """Train the tokenizer on a prepared corpus, and encode the corpus with it.

    s2s train-tokenizer
    s2s train-tokenizer --model-type unigram --vocab-size 8000 --joint
    s2s train-tokenizer --from other/model
    """
    from s2scli.pipeline.train_tokenizer import copy_tokenizer, train_tokenizer

    if model and settings.model_fields_set:
        raise UsageError("--from copies a tokenizer unchanged; leave out the other settings")
    workspace, talk = common.workspace, common.talk
    workers = sharing.workers(workspace)
    if model:
        report = copy_tokenizer(workspace, model, talk, overwrite=overwrite, workers=workers)
    else:
        report = train_tokenizer(workspace, settings, talk, overwrite=overwrite, workers=workers)
    common.show_summary(asdict(report), report_table(report))
    common.say_next("train")


def report_table(report: "TokenizerReport") -> "Table | Group":
    """Return a description of each side's tokenizer, measured on one split."""
    sides = {"source": report.source, "target": report.target}
    both = [side for side in sides.values() if side]
    learned = [name for name, side in sides.items() if side]
    together = ["both sides"] * 2 if report.joint else learned
    measured = f"on the {report.split} split"
    rows: dict[str, list[str]] = {
        "kind": [side.kind for side in both],
        "trained on": together,
        "vocabulary": [f"{side.vocab_size:,}" for side in both],
        "byte fallback": ["yes" if side.byte_fallback else "no" for side in both],
        "pieces per word": [f"{side.pieces_per_word:.2f}" for side in both],
        "pieces per character": [f"{side.pieces_per_character:.2f}" for side in both],
        "unknown pieces": [f"{side.unknown_rate:.2%}" for side in both],
    }
    table = make_table(
        (measured, *learned),
        [(name, *values) for name, values in rows.items()],
        numbers=learned,
    )
    if not report.pictures:
        return table
    pictures = _picture_table(measured, report.pictures)
    return Group(table, "", pictures) if learned else pictures


def _picture_table(measured: str, pictures: "PictureQuality") -> "Table":
    """Return a description of the tokenizer of target pictures."""
    rows = {
        "kind": pictures.kind,
        "vocabulary": f"{pictures.vocab_size:,}",
        "tokens per picture": f"{pictures.tokens:,}",
        "mean squared error (pixels 0 to 1)": f"{pictures.reconstruction_error:.4f}",
    }
    return make_table(
        (measured, "target pictures"), list(rows.items()), numbers=("target pictures",)
    )
