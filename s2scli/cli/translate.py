"""`s2s translate`."""

import enum
import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s2scli.cli.constraints import DemandOptions
from s2scli.cli.flags import OWN, flag_errors, flags
from s2scli.cli.options import (
    SOME_FAILED,
    CommonOptions,
    DaskEngineOption,
    DeviceOption,
    ModelsOption,
    format_option,
    not_stdout,
)
from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.export.settings import EngineSettings
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, flag_of

if TYPE_CHECKING:
    from s2scli.pipeline.translate import TranslateRequest
    from s2scli.pipeline.translation_shards import Order
    from s2scli.report.console import Talk
    from s2scli.translation.loading import EngineRequest
    from s2scli.translation.records import Shape
    from s2scli.translation.tally import Tally
    from s2scli.translation.translator import Translator


class TextFormat(enum.StrEnum):
    """An output format of translations."""

    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


INPUT_FORMAT = {"input_format": "--input-format"}  # --format is that of the output
SUBTITLES = (TextFormat.SRT, TextFormat.VTT)
SHOWS = "--json, which shows the alignment"
_input: Any = functools.partial(typer.Option, rich_help_panel=StreamSettings.panel)
_output: Any = functools.partial(typer.Option, rich_help_panel="Output")

HistoryOption = Annotated[
    int | None,
    typer.Option(
        "--history",
        min=1,
        max=1000,
        metavar="N",
        rich_help_panel=StreamSettings.panel,
        help="Answer a dialogue: each line is a turn, and its source is the last N turns, "
        "answers included, joined as by `prepare --history`. A blank line, or a new file, "
        "begins a new dialogue.",
    ),
]


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            rich_help_panel=StreamSettings.panel,
            help="Texts to translate, one per line, or files with fields (--input-format); plain "
            "or compressed; - is stdin. For a model that reads sound or pictures, each line is the "
            "path of a file, which is looked up beside the list first.",
        ),
    ] = None,
    as_files: Annotated[
        bool,
        _input(
            "--files", help="The arguments are recordings or pictures, not lists of their paths."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        _output(
            "-o",
            "--output",
            callback=not_stdout,
            help="Write to this file, once all lines are translated. Pictures are written into "
            "this folder, one PNG file for each line.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        _output(
            "--resume",
            help="Continue the output file of the same command that was killed or interrupted, "
            "FILE.part, after its last whole record. It is refused if the model, the lines or the "
            "options are not the same. (Of recordings and pictures, the paths are compared.)",
        ),
    ] = False,
    history: HistoryOption = None,
    format: Annotated[
        TextFormat | None,
        format_option(TextFormat, "text; srt and vtt are for recordings", panel="Output"),
    ] = None,
    scores: Annotated[
        bool, _output("--scores", help="Write the score and a tab before each output.")
    ] = False,
    alignment: Annotated[
        bool,
        _output(
            "--alignment",
            help="Append ` ||| ` and the word alignment to each output: source-target pairs of "
            "words, counted from 0, in Pharaoh's format (0-0 1-2). Each target word is paired with "
            "the source word that has the largest attention weight. The weights are the mean of "
            "the H heads that align best, where H is the number of heads per layer, or those of "
            "the layer and the step that s2s inspect alignment --save recorded with the model. "
            "Empty where a protected text is put back, or sentences are joined without a space.",
        ),
    ] = False,
    alignment_threshold: Annotated[
        float | None,
        _output(
            min=0.0, max=1.0, help="With --alignment: pair all words with at least this weight."
        ),
    ] = None,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    dask: DaskEngineOption = None,
    *,
    overrides: Annotated[Tree, flags(SearchSettings, load=False, default=OWN)],
    stream: Annotated[
        StreamSettings, flags(StreamSettings, but=("target_field",), spelled=INPUT_FORMAT)
    ],
    demanded: DemandOptions,
    engine: Annotated[EngineSettings, flags(EngineSettings)],
    common: CommonOptions,
) -> None:
    """Translate each input line into one output line, in order.

    s2s translate < input.txt > output.txt
    s2s translate --nbest 3 input.txt -o output.txt
    s2s translate large.txt -o output.txt --dask tcp://host:8786

    With --nbest, each hypothesis is a line `line ||| hypothesis ||| score`, where lines are counted
    from 0, as in Moses. With --json, each line is an object: status (ok, empty, failed) and
    hypotheses with tokens, scores, and alignments of tokens and words as source-target pairs.

    s2s translate --files talk.wav --format srt -o talk.srt
    s2s translate --files *.flac --format vtt -o subtitles

    With --format srt or vtt, each part of a recording between pauses is a cue, and -o DIR gets a
    file for each recording. With a CTC layer (model.ctc_weight), vtt and --json time each word.
    """
    from s2scli.data.lines import STDIN
    from s2scli.pipeline.subtitles import SubtitleRequest, check_inputs, write_subtitles
    from s2scli.pipeline.translate import TranslateRequest, warn_of_untrained
    from s2scli.pipeline.translation_shards import Order
    from s2scli.translation.demands import require_attention, require_text
    from s2scli.translation.loading import load_translator
    from s2scli.translation.options import Wanted
    from s2scli.translation.records import Shape

    many, talk = "n_best" in overrides, common.talk
    as_json = common.json or format is TextFormat.JSON
    shape = Shape(as_json, many, scores, alignment, alignment_threshold)
    attended = ["--alignment"] * alignment + ["--replace-unknown"] * demanded.replace_unknown
    _refuse_unused(shape, stream)
    shown = [*attended, *["--scores"] * scores, *["--nbest"] * many]
    _refuse_with_subtitles(format, common.json, shown)
    _refuse_resuming(resume, output, format)
    given = {"--resume": resume, "--files": as_files, "--prefix": demanded.prefix}
    _refuse_apart(given, format, stream, history=history, dask=dask)
    inputs = _existing(files or [STDIN], as_files, stream)
    demands = demanded.read()
    asked = _engine_request(engine, demanded, attended, as_json, overrides, device)
    with flag_errors():
        translator = load_translator(common.workspace, models or (), asked, talk)
        settings = translator.settings(overrides)
    settings.refuse_unread(overrides)
    warn_of_untrained(map(common.workspace.find_model, models or (None,)), talk)
    check_inputs(translator, inputs, files=as_files)
    require_attention(translator, attended)
    for flag in ("--history",) * (history is not None) + ("--dask",) * (dask is not None):
        require_text(translator, flag)
    wanted = Wanted(as_json or alignment, scores=not shape.is_plain, times=as_json)
    options = demands.options(translator, settings, stream, wanted)
    if format in SUBTITLES:
        subtitles = SubtitleRequest(inputs, as_files, output, str(format), settings, stream)
        raise typer.Exit(SOME_FAILED if write_subtitles(translator, subtitles, talk) else 0)
    request = TranslateRequest(
        *(inputs, output, options, stream, shape.record_format, many or settings.sample, as_files),
        *(shape.name, resume, history),
    )
    order = Order(common.workspace, models or (), asked, overrides, demands, stream, wanted, shape)
    tally = _translate(translator, request, order, talk, dask)
    if tally.failed.count:
        raise typer.Exit(SOME_FAILED)


def _translate_on(
    dask: str,
    translator: "Translator",
    request: "TranslateRequest",
    order: "Order",
    talk: "Talk",
) -> "Tally":
    """Translate on the workers of a Dask scheduler.

    Raises:
        UsageError: there is no output file.
    """
    from s2scli.pipeline.cluster import Cluster
    from s2scli.pipeline.translation_shards import translate_by_shards

    if request.output is None:
        raise UsageError("--dask writes a file: add -o FILE")
    complete = order.for_request(translator, request)
    return translate_by_shards(
        request, request.output, complete, functools.partial(Cluster, dask), talk
    )


def _translate(
    translator: "Translator",
    request: "TranslateRequest",
    order: "Order",
    talk: "Talk",
    dask: str | None,
) -> "Tally":
    from s2scli.pipeline.pictures import writes_pictures
    from s2scli.pipeline.translate import translate

    if dask is not None:
        return _translate_on(dask, translator, request, order, talk)
    if order.shape.json or not writes_pictures(translator):
        return translate(translator, request, talk)
    return _translate_to_pictures(translator, request, talk, order.shape)


def _engine_request(
    engine: EngineSettings,
    demanded: DemandOptions,
    attended: Sequence[str],
    as_json: bool,
    overrides: Tree,
    device: str,
) -> "EngineRequest":
    """Return what the engine must support."""
    from s2scli.translation.loading import EngineRequest

    if engine.shortlist:
        demanded.refuse_with_shortlist()
    return EngineRequest(
        engine.engine,
        [*attended, *demanded.flags],
        [SHOWS] * as_json,
        overrides,
        device,
        engine.int8,
        engine.shortlist,
    )


def _existing(inputs: list[Path], as_files: bool, stream: StreamSettings) -> list[Path]:
    """Return the inputs, which must exist; with --files, they have no format and no fields."""
    from s2scli.data.lines import STDIN
    from s2scli.translation.filter import require_inputs

    if as_files and STDIN in inputs:
        raise UsageError("--files needs the paths of recordings or pictures as arguments")
    for name in ("input_format", "source_field", "target_field"):
        if as_files and getattr(stream, name) is not None:
            raise UsageError(f"{flag_of(name)} has no effect with --files")
    require_inputs(inputs, 'to translate a sentence: echo "..." | s2s translate')
    return inputs


def _refuse_unused(shape: "Shape", stream: StreamSettings) -> None:
    """Refuse a flag that has no effect, and alignments of documents, which have several lines."""
    if shape.scores and (shape.json or shape.n_best):
        given_too = "--json" if shape.json else "--nbest"
        raise UsageError(f"{given_too} shows the scores already: leave --scores out")
    if shape.alignment and shape.json:
        raise UsageError("--json shows the alignment already: leave --alignment out")
    if shape.threshold is not None and not shape.alignment:
        raise UsageError("--alignment-threshold has no effect without --alignment")
    if shape.alignment and stream.unit == "document":
        raise UsageError(
            "--alignment writes one line for each text: use --json, or --unit sentence"
        )


def _refuse_with_subtitles(format: TextFormat | None, as_json: bool, given: Sequence[str]) -> None:
    """Refuse what contradicts --format."""
    if as_json and format not in (None, TextFormat.JSON):
        raise UsageError(f"give either --json or --format {format}, not both")
    if given and format in SUBTITLES:
        raise UsageError(f"--format {format} writes the best output only: leave {given[0]} out")


def _refuse_resuming(resume: bool, output: Path | None, format: TextFormat | None) -> None:
    """Refuse to resume what is not one file of records."""
    if resume and (output is None or format in SUBTITLES):
        raise UsageError("--resume continues an output file of text or JSON: add -o FILE")


def _refuse_apart(
    flags: dict[str, bool],
    format: TextFormat | None,
    stream: StreamSettings,
    *,
    history: int | None,
    dask: str | None,
) -> None:
    """Refuse what contradicts --history, whose lines belong together, --prefix and --dask.

    Args:
        flags: which of --resume, --files and --prefix are given.
        format: the format of the output.
        stream: how lines are read.
        history: the turns in a source.
        dask: the address of a scheduler.
    """
    for flag, given in {**flags, "--unit": stream.unit != "line"}.items():
        if history and given:
            raise UsageError(f"--history answers turn by turn: leave {flag} out")
    if flags["--prefix"] and stream.unit == "document":
        raise UsageError("--prefix belongs to one line: choose --unit sentence, or leave it out")
    with_dask = (
        *(("--history", history is not None), ("--files", flags["--files"])),
        (f"--format {format}", format in SUBTITLES),
    )
    for flag, given in with_dask:
        if dask is not None and given:
            raise UsageError(f"--dask translates lines of text: leave {flag} out")


def _refuse_for_pictures(scores: bool, alignment: bool) -> None:
    for flag, given in (("--scores", scores), ("--alignment", alignment)):
        if given:
            raise UsageError(f"{flag} is for text, and the outputs are pictures; use --json")


def _translate_to_pictures(
    translator: "Translator",
    request: "TranslateRequest",
    talk: "Talk",
    shape: "Shape",
) -> "Tally":
    """Write the output pictures into a folder, or draw them on the terminal."""
    _refuse_for_pictures(shape.scores, shape.alignment)
    if request.resume:
        raise UsageError("--resume is for text, and the outputs are pictures; leave it out")
    from s2scli.pipeline.pictures import drawn_record, require_place
    from s2scli.pipeline.translate import translate, translate_to_folder

    require_place(request.output, talk)
    drawn = replace(request, record_format=drawn_record(talk))
    if request.output:
        return translate_to_folder(translator, drawn, request.output, talk)
    return translate(translator, drawn, talk)
