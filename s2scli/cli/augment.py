"""`s2s augment`."""

import functools
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s2scli.cli.flags import OWN, flag_errors, flags
from s2scli.cli.options import (
    SOME_FAILED,
    Common,
    CommonOptions,
    DeviceOption,
    ModelsOption,
    not_stdout,
)
from s2scli.data.settings import AugmentSettings, SurfaceNoise
from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.export.settings import EngineSettings
from s2scli.report.tables import make_table
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, flag_of

if TYPE_CHECKING:
    from s2scli.pipeline.augment import Augmented
    from s2scli.translation.translator import Translator

_output: Any = functools.partial(typer.Option, rich_help_panel="Output")


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            rich_help_panel=StreamSettings.panel,
            help="One text per line, or with distil and noise source TAB target; plain or "
            "compressed; - is stdin.",
        ),
    ] = None,
    originals: Annotated[
        list[Path] | None,
        _output(
            "--with",
            metavar="FILE",
            help="Copy the rows of this TSV file in front, so that s2s prepare reads one file; "
            "repeatable.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        _output(
            "-o",
            "--output",
            callback=not_stdout,
            help="Write to this file, once all rows are made.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        _output(
            "--resume",
            help="Continue the output file of the same command that was killed or interrupted, "
            "FILE.part, after its last whole row. It is refused if the model, the lines or the "
            "options are not the same.",
        ),
    ] = False,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    *,
    settings: Annotated[AugmentSettings, flags(AugmentSettings)],
    overrides: Annotated[Tree, flags(SearchSettings, load=False, default=OWN)],
    stream: Annotated[StreamSettings, flags(StreamSettings, but=("unit", "language"))],
    engine: Annotated[EngineSettings, flags(EngineSettings)],
    common: CommonOptions,
) -> None:
    """Make rows of a corpus from text that has no translation, from a model, and from noise.

    Each line becomes one row: source TAB target, as s2s prepare reads it. A line that is blank or
    fails becomes an empty row, which s2s prepare counts and drops.

    s2s augment german.txt -m reverse/model --with pairs.tsv -o more.tsv
    s2s augment german.txt -m reverse/model --sample --top-k 10 --tag ""
    s2s augment english.txt --method forward-translate -o more.tsv
    s2s augment pairs.tsv --method distil --nbest 5 -o distilled.tsv
    s2s augment pairs.tsv --method noise --typos 0.1 --case 0.1 --with pairs.tsv
    """
    from s2scli.data.lines import STDIN
    from s2scli.pipeline.augment import AugmentRequest, augment
    from s2scli.translation.filter import require_inputs

    inputs = files or [STDIN]
    of_model = ["--model"] * bool(models) + list(map(flag_of, sorted(engine.model_fields_set)))
    _refuse_unread(settings, overrides, of_model)
    if common.json and output is None:
        raise UsageError("--json shows a summary on stdout: add -o FILE for the rows")
    if resume and output is None:
        raise UsageError("--resume continues an output file: add -o FILE")
    require_inputs([*inputs, *(originals or ())], "give a file of text, or - for stdin")
    translator = search = None
    if settings.method != "noise":
        translator = _load(common, models or (), overrides, device, engine)
        with flag_errors():
            search = translator.settings(overrides)
        search.refuse_unread(overrides)
    request = AugmentRequest(inputs, originals or (), output, settings, search, stream, resume)
    found = augment(translator, request, common.talk)
    if output is None:
        common.talk.say(summary_text(found))
    else:
        common.show_summary(found.as_json(), make_table(("rows", ""), _rows(found), numbers=("",)))
        common.talk.say(f"next: s2s prepare {shlex.quote(str(output))} -w NEW_WORKSPACE")
    if found.failed:
        raise typer.Exit(SOME_FAILED)


def _load(
    common: Common,
    models: Sequence[Path],
    overrides: Tree,
    device: str,
    engine: EngineSettings,
) -> "Translator":
    """Load the model, which must read and write text."""
    from s2scli.pipeline.translate import warn_of_untrained
    from s2scli.translation.demands import require_text
    from s2scli.translation.loading import EngineRequest, load_translator

    asked = EngineRequest(engine.engine, (), (), overrides, device, engine.int8, engine.shortlist)
    with flag_errors():
        translator = load_translator(common.workspace, models, asked, common.talk)
    require_text(translator, "s2s augment")
    warn_of_untrained(map(common.workspace.find_model, models or (None,)), common.talk)
    return translator


def _refuse_unread(settings: AugmentSettings, overrides: Tree, of_model: Sequence[str]) -> None:
    """Refuse flags that the method does not read.

    Args:
        settings: the method and its settings.
        overrides: the given settings of the search.
        of_model: the given flags of the model and its engine.

    Raises:
        UsageError: a flag has no effect, or method noise has no noise.
    """
    method = settings.method
    if method == "noise":
        for flag in (*map(flag_of, overrides), *of_model):
            raise UsageError(f"--method noise uses no model: leave {flag} out")
        if not settings.is_noisy:
            rates = ", ".join(flag_of(name) for name in SurfaceNoise.model_fields)
            raise UsageError(f"--method noise needs a rate of noise: {rates}")
    if "tag" in settings.model_fields_set and method != "back-translate":
        raise UsageError(f"--tag is for back-translate, and the method is {method}: leave it out")
    if "n_best" in overrides and method != "distil":
        raise UsageError("--nbest is for --method distil, which chooses one: leave it out")
    if "noise_seed" in settings.model_fields_set and not settings.is_noisy:
        raise UsageError("--noise-seed has no effect without noise, such as --typos 0.1")


def _rows(found: "Augmented") -> list[tuple[str, str]]:
    """Return every row of the output by its origin; they add up to those written."""
    parts = {
        "copied": found.copied,
        "+ made": found.made,
        "+ empty: blank or left out": found.empty,
        "+ empty: failed": found.failed,
    }
    rows = [(name, f"{count:,}") for name, count in parts.items() if count]
    return [*rows, ("= written", f"{found.rows:,}")]


def summary_text(found: "Augmented") -> str:
    """Return the rows on one line, for output to a pipe."""
    return "; ".join(f"{name.strip('+= ')} {count}" for name, count in _rows(found))
