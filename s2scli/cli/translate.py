"""`s2s translate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.flags import OWN, flag_errors, flags, refuse_unread
from s2scli.cli.options import SOME_FAILED, CommonOptions, DeviceOption, ModelsOption
from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.export.settings import EngineSettings
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree

if TYPE_CHECKING:
    from s2scli.translation.records import RecordFormat


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Texts to translate, plain or gzip; - is stdin."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write to this file, once all lines are translated."),
    ] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="Write the score and a tab before each output.")
    ] = False,
    alignment: Annotated[
        bool,
        typer.Option(
            "--alignment",
            help="Append ` ||| ` and the word alignment to each output: source-target pairs of "
            "words, counted from 0, in Pharaoh's format (0-0 1-2). Each target word is paired with "
            "the source word that has the largest attention weight. The weights are the mean of "
            "the H heads that align best, where H is the number of heads per layer.",
        ),
    ] = False,
    alignment_threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="With --alignment: pair all words with at least this weight."
        ),
    ] = None,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    *,
    overrides: Annotated[Tree, flags(SearchSettings, load=False, default=OWN)],
    stream: Annotated[StreamSettings, flags(StreamSettings)],
    engine: Annotated[EngineSettings, flags(EngineSettings)],
    common: CommonOptions,
) -> None:
    """Translate each input line into one output line, in order.

    s2s translate < input.txt > output.txt
    s2s translate --nbest 3 input.txt -o output.txt

    With --nbest, each hypothesis is a line `line ||| hypothesis ||| score`, where lines are counted
    from 0, as in Moses. With --json, each line is an object: status (ok, empty, failed) and
    hypotheses with tokens, scores, and alignments of tokens and words as source-target pairs.
    """
    from s2scli.data.lines import STDIN
    from s2scli.pipeline.translate import (
        TranslateRequest,
        require_attention,
        translate,
        warn_of_untrained,
    )
    from s2scli.translation.filter import require_inputs
    from s2scli.translation.loading import EngineRequest, load_translator

    many, as_json, talk = "n_best" in overrides, common.json, common.talk
    _refuse_unused(scores, as_json, many, alignment, alignment_threshold)
    inputs = files or [STDIN]
    require_inputs(inputs, 'to translate a sentence: echo "..." | s2s translate')
    engine_request = EngineRequest(
        engine.engine,
        ["--alignment"] * alignment,
        ["--json, which shows the alignment"] * as_json,
        overrides,
        device,
        engine.int8,
    )
    with flag_errors():
        translator = load_translator(common.workspace, models or (), engine_request, talk)
        settings = translator.settings(overrides)
    refuse_unread(overrides, settings)
    warn_of_untrained(map(common.workspace.find_model, models or (None,)), talk)
    if alignment:
        require_attention(translator)
    shape = _record_format(as_json, many, scores, alignment, alignment_threshold)
    to = None if output == STDIN else output
    request = TranslateRequest(inputs, to, settings, stream, shape, as_json or alignment)
    tally = translate(translator, request, talk)
    if tally.failed.count:
        raise typer.Exit(SOME_FAILED)


def _refuse_unused(
    scores: bool, as_json: bool, n_best: bool, alignment: bool, threshold: float | None
) -> None:
    """Refuse a flag that has no effect."""
    if scores and (as_json or n_best):
        given_too = "--json" if as_json else "--nbest"
        raise UsageError(f"{given_too} shows the scores already: leave --scores out")
    if alignment and as_json:
        raise UsageError("--json shows the alignment already: leave --alignment out")
    if threshold is not None and not alignment:
        raise UsageError("--alignment-threshold has no effect without --alignment")


def _record_format(
    as_json: bool, n_best: bool, scores: bool, alignment: bool, threshold: float | None
) -> "RecordFormat":
    from s2scli.translation import records

    if as_json:
        return records.json_record
    shape = records.scored_record if scores else records.plain_record
    if n_best:
        shape = records.moses_record
    return records.aligned(shape, threshold) if alignment else shape
