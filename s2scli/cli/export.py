"""`s2s export`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.flags import flags
from s2scli.cli.options import CommonOptions, ModelOption
from s2scli.data.settings import InputSettings
from s2scli.errors import UsageError
from s2scli.export.settings import ExportSettings
from s2scli.metrics import METRICS
from s2scli.report.console import Talk
from s2scli.report.tables import make_table, whole
from s2scli.settings import flag_of

if TYPE_CHECKING:
    from s2scli.translation.agreement import Agreement


def command(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Folder to write. [default: beside the model, where s2s translate finds it]",
            rich_help_panel=ExportSettings.panel,
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Translate the validation split, or FILE, with PyTorch and with the exported "
            "model (CTranslate2: float32, int8 and --quantization; others: beam and greedy), and "
            "compare outputs and speed.",
            rich_help_panel=ExportSettings.panel,
        ),
    ] = False,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="Pairs for --verify: source TAB reference, or a file with fields."
        ),
    ] = None,
    model: ModelOption = None,
    *,
    settings: Annotated[ExportSettings, flags(ExportSettings)],
    reading: Annotated[InputSettings, flags(InputSettings)],
    common: CommonOptions,
) -> None:
    """Export a Transformer for CTranslate2, ONNX Runtime or HuggingFace Transformers.

    `s2s translate` runs exports to CTranslate2, which are faster, and to ONNX Runtime.

    s2s export --quantization int8 --verify
    s2s export --to huggingface --verify valid.tsv
    s2s export --to onnx
    """
    from s2scli.export.targets import TARGETS
    from s2scli.pipeline.export import Verification, export

    if file and not verify:
        raise UsageError(f"{file} has no effect without --verify")
    if not verify:
        for name in sorted({"lines", "tolerance"} & settings.model_fields_set):
            raise UsageError(f"--{name} has no effect without --verify")
    if not file and reading.model_fields_set:
        flag = flag_of(min(reading.model_fields_set))
        raise UsageError(f"{flag} has no effect without --verify FILE")
    talk = common.talk
    verification = Verification(common.workspace, file, reading) if verify else None
    report = export(common.workspace.find_model(model), output, settings, verification, talk)
    if common.json:
        talk.show_json(asdict(report))
        return
    if report.agreements:
        show_agreements(report.agreements, talk)
        talk.say(f"measured on {report.lines:,} pairs; BLEU and scores use their references")
    talk.say(f"exported to {report.folder} ({report.bytes / 1e6:.1f} MB)")
    talk.say(f"next: {TARGETS[settings.to].use(report.folder)}")


def show_agreements(agreements: "Sequence[Agreement]", talk: Talk) -> None:
    """Show one row for each engine."""
    headings = ("engine", "same tokens", "score difference", "BLEU", "difference", "lines/s")
    digits = METRICS["bleu"].digits
    rows = [
        (
            one.engine,
            f"{one.tokens:.2%}",
            f"{one.score_difference:.2g}",
            f"{one.bleu:.{digits}f}",
            f"{one.bleu_difference:+.{digits}f}",
            f"{one.lines_per_second:.1f}",
        )
        for one in agreements
    ]
    # wider than a narrow terminal, so that no number is cut off
    talk.show(whole(make_table(headings, rows, numbers=headings[1:]), talk.stdout), soft_wrap=True)
