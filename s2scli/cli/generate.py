"""`s2s generate`."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    QuietOption,
    VerboseOption,
    WorkspaceOption,
    flag,
    flag_errors,
    given,
    load_flags,
    refuse_unread,
)
from s2scli.errors import UsageError
from s2scli.report.console import Talk, visible
from s2scli.search.settings import GenerateSettings, SearchSettings
from s2scli.settings import Tree
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from s2scli.translation.results import TargetText


def command(
    count: Annotated[int | None, flag(GenerateSettings, "count", "-n", "--count")] = None,
    around: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Write sentences like this one.")
    ] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Write the sentences on the way from one to another."),
    ] = None,
    steps: Annotated[int | None, flag(GenerateSettings, "steps")] = None,
    seed: Annotated[int | None, flag(GenerateSettings, "seed")] = None,
    temperature: Annotated[float | None, flag(GenerateSettings, "temperature")] = None,
    beam_size: Annotated[int | None, flag(SearchSettings, "beam_size")] = None,
    length_penalty: Annotated[
        float | None, flag(SearchSettings, "length_penalty", "--length-penalty", "--lenpen")
    ] = None,
    max_length: Annotated[int | None, flag(SearchSettings, "max_length")] = None,
    sample: Annotated[bool | None, flag(SearchSettings, "sample", "--sample")] = None,
    token_temperature: Annotated[
        float | None, flag(SearchSettings, "temperature", "--token-temperature")
    ] = None,
    top_k: Annotated[int | None, flag(SearchSettings, "top_k")] = None,
    top_p: Annotated[float | None, flag(SearchSettings, "top_p")] = None,
    min_p: Annotated[float | None, flag(SearchSettings, "min_p")] = None,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    debug: DebugOption = False,
) -> None:
    """Write sentences of a model's own, one a line, from vectors instead of sources.

    The model is one of the recipe vae; --between works with an autoencoder too.

    s2s generate --between "I am tired." "Where do you live?" --steps 5
    """
    from s2scli.pipeline.generate import Writer

    if around is not None and between is not None:
        raise UsageError("--around and --between: give one of them, or neither")
    flags = given(count=count, seed=seed, temperature=temperature, steps=steps)
    _refuse_unused(flags, between is not None)
    settings = load_flags(GenerateSettings, flags)
    writer = Writer.load(Workspace(workspace).find_model(model), device)
    asked = given(
        beam_size=beam_size,
        length_penalty=length_penalty,
        max_length=max_length,
        sample=sample,
        temperature=token_temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
    )
    with flag_errors():
        search = writer.translator.settings({**asked, "seed": settings.seed})
    refuse_unread(asked, search, temperature="--token-temperature")
    if between is not None:
        codes = writer.interpolate(*between, settings)
    elif around is not None:
        codes = writer.draw_around(around, settings)
    else:
        codes = writer.draw(settings)
    found = writer.write(codes, search)
    talk = Talk(quiet=quiet, verbose=verbose)
    if json:
        talk.show_json({"sentences": [_document(one) for one in found]})
    else:
        _show(one.text for one in found)


def _refuse_unused(flags: Tree, between: bool) -> None:
    """Refuse a flag that would change nothing."""
    unused = ("count", "seed", "temperature") if between else ("steps",)
    for name in unused:
        if name in flags:
            raise UsageError(f"--{name}: of no use {'with' if between else 'without'} --between")


def _show(texts: Iterable[str]) -> None:
    """Write one sentence a line as they come; a terminal gets control characters spelled out."""
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
