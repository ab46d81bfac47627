"""`s2s import`."""

import functools
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from s2scli.cli.options import CommonOptions
from s2scli.errors import UsageError

_file: Any = functools.partial(typer.Option, metavar="FILE", rich_help_panel="Tokenizer")


def command(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A folder of a MarianMTModel (HuggingFace Transformers), or a checkpoint of "
            "Marian (model.npz or its folder) or OpenNMT-py 3 (model.pt).",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Model folder to write. [default: the workspace's model]",
            rich_help_panel="Input and output",
        ),
    ] = None,
    source_spm: Annotated[
        Path | None,
        _file(help="SentencePiece model of the source, if it is not beside the checkpoint."),
    ] = None,
    target_spm: Annotated[
        Path | None, _file(help="SentencePiece model of the target. [default: that of the source]")
    ] = None,
    source_vocab: Annotated[
        Path | None, _file(help="Vocabulary of the source, if it is not beside the checkpoint.")
    ] = None,
    target_vocab: Annotated[
        Path | None, _file(help="Vocabulary of the target. [default: that of the source]")
    ] = None,
    *,
    common: CommonOptions,
) -> None:
    """Import a Transformer of another program, with its tokenizer, as a model folder.

    Only tensors are read, in a process of its own: no code in a checkpoint is ever run. The model
    translates as it did, and all commands for models work on it.

    s2s import opus-mt-en-de -o en-de; s2s translate -m en-de < input.txt
    s2s import model.npz --source-vocab vocab.spm
    s2s import model.pt --source-spm source.spm --target-spm target.spm
    """
    from s2scli.export.foreign import TokenizerFiles
    from s2scli.pipeline.import_ import import_model

    if target_spm and not source_spm:
        raise UsageError("--target-spm needs --source-spm")
    if target_vocab and not source_vocab:
        raise UsageError("--target-vocab needs --source-vocab")
    talk = common.talk
    files = TokenizerFiles(source_spm, target_spm, source_vocab, target_vocab)
    folder = output or common.workspace.model
    report = import_model(path, folder, path.resolve().stem, files)
    if common.json:
        talk.show_json(asdict(report))
        return
    sizes = ", ".join(f"{size:,} {side}" for side, size in report.vocabulary.items())
    talk.say(
        f"imported a model of {report.program}: {report.parameters:,} parameters, vocabulary "
        f"{sizes}"
    )
    talk.say(f"next: s2s translate -m {shlex.quote(report.folder)} < input.txt")
