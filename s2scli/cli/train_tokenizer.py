"""`s2s train-tokenizer`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.options import (
    DebugOption,
    JsonOption,
    QuietOption,
    VerboseOption,
    WorkspaceOption,
    flag,
    given,
    load_flags,
    say_next,
)
from s2scli.errors import UsageError
from s2scli.report.console import Talk
from s2scli.report.tables import make_table
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from rich.table import Table

    from s2scli.pipeline.train_tokenizer import TokenizerReport


def command(
    kind: Annotated[str | None, flag(TokenizerSettings, "kind", "--model-type", "--kind")] = None,
    vocab_size: Annotated[int | None, flag(TokenizerSettings, "vocab_size")] = None,
    joint: Annotated[bool | None, flag(TokenizerSettings, "joint", "--joint/--separate")] = None,
    byte_fallback: Annotated[
        bool | None, flag(TokenizerSettings, "byte_fallback", "--byte-fallback/--no-byte-fallback")
    ] = None,
    character_coverage: Annotated[
        float | None, flag(TokenizerSettings, "character_coverage")
    ] = None,
    split_digits: Annotated[
        bool | None, flag(TokenizerSettings, "split_digits", "--split-digits/--no-split-digits")
    ] = None,
    sample_size: Annotated[int | None, flag(TokenizerSettings, "sample_size")] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DIR", help="Learn nothing: take the tokenizer of this model folder."
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    debug: DebugOption = False,
) -> None:
    """Learn the tokenizer of a prepared corpus, and encode the corpus with it.

    s2s train-tokenizer

    s2s train-tokenizer --model-type unigram --vocab-size 8000 --joint

    s2s train-tokenizer --from other/model
    """
    from dataclasses import asdict

    from s2scli.pipeline.train_tokenizer import copy_tokenizer, train_tokenizer

    flags = given(
        kind=kind,
        vocab_size=vocab_size,
        joint=joint,
        byte_fallback=byte_fallback,
        character_coverage=character_coverage,
        split_digits=split_digits,
        sample_size=sample_size,
    )
    settings = load_flags(TokenizerSettings, flags)
    talk = Talk(quiet=quiet, verbose=verbose)
    if model and flags:
        raise UsageError("--from takes a model's tokenizer as it is; leave the other settings out")
    if model:
        report = copy_tokenizer(Workspace(workspace), model, talk)
    else:
        report = train_tokenizer(Workspace(workspace), settings, talk)
    if as_json:
        talk.show_json(asdict(report))
    else:
        talk.show(report_table(report))
    say_next(talk, workspace, "train")


def report_table(report: "TokenizerReport") -> "Table":
    """Return what each side's tokenizer is like, measured on held-out text."""
    both = report.source, report.target
    together = ("both sides", "both sides") if report.joint else ("source", "target")
    measured = f"on the {report.split} split"
    rows = {
        "kind": [side.kind for side in both],
        "learned from": together,
        "vocabulary": [f"{side.vocab_size:,}" for side in both],
        "byte fallback": ["yes" if side.byte_fallback else "no" for side in both],
        "pieces a word": [f"{side.pieces_per_word:.2f}" for side in both],
        "pieces a character": [f"{side.pieces_per_character:.2f}" for side in both],
        "unknown pieces": [f"{side.unknown_rate:.2%}" for side in both],
    }
    return make_table(
        (measured, "source", "target"),
        [(name, *values) for name, values in rows.items()],
        numbers=("source", "target"),
    )
