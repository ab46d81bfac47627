"""`s2s translate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.options import (
    DebugOption,
    DeviceOption,
    Int8Option,
    ModelsOption,
    QuietOption,
    VerboseOption,
    WorkspaceOption,
    flag,
    flag_errors,
    given,
    load_flags,
    refuse_unread,
)
from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.export.settings import EngineSettings
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from s2scli.translation.records import RecordFormat

SOME_FAILED = 3


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Texts to translate, plain or gzip; - is stdin."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write here, once all is translated."),
    ] = None,
    models: ModelsOption = None,
    beam_size: Annotated[int | None, flag(SearchSettings, "beam_size")] = None,
    n_best: Annotated[
        int | None,
        typer.Option(
            "--nbest",
            "--n-best",
            metavar="N",
            help="The N best hypotheses of each line, as `line ||| hypothesis ||| score`; "
            "lines count from 0, as in Moses. With --json: the N best in each object.",
        ),
    ] = None,
    length_penalty: Annotated[
        float | None, flag(SearchSettings, "length_penalty", "--length-penalty", "--lenpen")
    ] = None,
    max_length_ratio: Annotated[float | None, flag(SearchSettings, "max_length_ratio")] = None,
    max_length: Annotated[int | None, flag(SearchSettings, "max_length")] = None,
    length_offset: Annotated[float | None, flag(SearchSettings, "length_offset")] = None,
    min_length: Annotated[int | None, flag(SearchSettings, "min_length")] = None,
    no_repeat_ngram: Annotated[
        int | None,
        flag(SearchSettings, "no_repeat_ngram", "--no-repeat-ngram", "--no-repeat-ngram-size"),
    ] = None,
    sample: Annotated[bool | None, flag(SearchSettings, "sample", "--sample")] = None,
    temperature: Annotated[float | None, flag(SearchSettings, "temperature")] = None,
    top_k: Annotated[int | None, flag(SearchSettings, "top_k")] = None,
    top_p: Annotated[float | None, flag(SearchSettings, "top_p")] = None,
    min_p: Annotated[float | None, flag(SearchSettings, "min_p")] = None,
    seed: Annotated[int | None, flag(SearchSettings, "seed")] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="Put the score and a tab before each output.")
    ] = False,
    alignment: Annotated[
        bool,
        typer.Option(
            "--alignment",
            help="Put ` ||| ` and the word alignment behind each output: source-target pairs that "
            "count from 0 the words between spaces, as Pharaoh writes them (0-0 1-2). Each target "
            "word is paired with the source word it looked at most, by the mean of the heads that "
            "align best, as many as a decoder layer has.",
        ),
    ] = False,
    alignment_threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="WEIGHT",
            help="With --alignment: pair all words with at least this weight instead.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="One JSON object a line: status (ok, empty, failed), hypotheses with tokens, "
            "scores, and alignment of tokens and of words as source-target pairs.",
        ),
    ] = False,
    overlong: Annotated[str | None, flag(StreamSettings, "overlong")] = None,
    strict: Annotated[bool | None, flag(StreamSettings, "strict", "--strict")] = None,
    window: Annotated[int | None, flag(StreamSettings, "window")] = None,
    max_wait: Annotated[int | None, flag(StreamSettings, "max_wait")] = None,
    engine: Annotated[str | None, flag(EngineSettings, "engine")] = None,
    int8: Int8Option = False,
    device: DeviceOption = "auto",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    debug: DebugOption = False,
) -> None:
    """Translate: one output line for each input line, in order, always.

    s2s translate < input.txt > output.txt

    s2s translate --nbest 3 input.txt -o output.txt
    """
    from s2scli.data.lines import STDIN
    from s2scli.pipeline.translate import TranslateRequest, require_attention, translate
    from s2scli.translation.filter import require_inputs
    from s2scli.translation.loading import Wish, load_translator

    _refuse_unused(scores, as_json, n_best is not None, alignment, alignment_threshold)
    inputs = files or [STDIN]
    require_inputs(inputs, 'to translate a sentence: echo "..." | s2s translate')
    stream = load_flags(
        StreamSettings, given(window=window, max_wait=max_wait, overlong=overlong, strict=strict)
    )
    asked = given(
        beam_size=beam_size,
        n_best=n_best,
        length_penalty=length_penalty,
        max_length_ratio=max_length_ratio,
        max_length=max_length,
        length_offset=length_offset,
        min_length=min_length,
        no_repeat_ngram=no_repeat_ngram,
        sample=sample,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seed=seed,
    )
    talk = Talk(quiet=quiet, verbose=verbose)
    wish = Wish(
        load_flags(EngineSettings, given(engine=engine)).engine,
        ["--alignment"] * alignment,
        ["--json, which shows the alignment"] * as_json,
        asked,
        device,
        int8,
    )
    with flag_errors():
        translator = load_translator(Workspace(workspace), models or (), wish, talk)
        settings = translator.settings(asked)
    refuse_unread(asked, settings)
    if alignment:
        require_attention(translator)
    shape = _record_format(as_json, n_best is not None, scores, alignment, alignment_threshold)
    to = None if output == STDIN else output
    request = TranslateRequest(inputs, to, settings, stream, shape, as_json or alignment)
    tally = translate(translator, request, talk)
    if tally.failed.count:
        raise typer.Exit(SOME_FAILED)


def _refuse_unused(
    scores: bool, as_json: bool, n_best: bool, alignment: bool, threshold: float | None
) -> None:
    """Refuse a flag that would change nothing."""
    if scores and (as_json or n_best):
        given_too = "--json" if as_json else "--nbest"
        raise UsageError(f"{given_too} shows the scores already: leave --scores out")
    if alignment and as_json:
        raise UsageError("--json shows the alignment already: leave --alignment out")
    if threshold is not None and not alignment:
        raise UsageError("--alignment-threshold is for --alignment: give that too")


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
