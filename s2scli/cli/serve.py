"""`s2s serve`."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from s2scli.cli.flags import OWN, flag_errors, flags
from s2scli.cli.options import CommonOptions, DeviceOption, utf8
from s2scli.data.stream import StreamSettings
from s2scli.errors import MissingExtraError
from s2scli.export.settings import EngineSettings
from s2scli.search.settings import NOT_EVALUATED, SearchSettings
from s2scli.serve.settings import RequestLimits, ServeSettings
from s2scli.settings import Tree

EXTRA = ("fastapi", "python_multipart", "starlette", "uvicorn")
_server: Any = functools.partial(typer.Option, rich_help_panel=ServeSettings.panel)


def command(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="DIR|NAME=DIR|en-de=DIR",
            callback=utf8,
            rich_help_panel=EngineSettings.panel,
            help="Model folder to serve instead of the workspace's. NAME=DIR names it, en-de=DIR "
            "gives the codes of the languages that clients ask for (otherwise source and target), "
            "and NAME:en-de=DIR does both; repeatable.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        _server(
            metavar="FILE",
            help="File with the token that requests must give, as api_key or in the header "
            "`Authorization: Bearer`.",
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        _server(
            metavar="ORIGIN",
            callback=utf8,
            help="Let the scripts of this web site use the server, such as https://example.org; "
            "repeatable.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    *,
    settings: Annotated[ServeSettings, flags(ServeSettings)],
    limits: Annotated[RequestLimits, flags(RequestLimits)],
    overrides: Annotated[Tree, flags(SearchSettings, but=NOT_EVALUATED, load=False, default=OWN)],
    stream: Annotated[StreamSettings, flags(StreamSettings, only=("unit", "language"))],
    engine: Annotated[EngineSettings, flags(EngineSettings)],
    common: CommonOptions,
) -> None:
    """Serve models to browsers and to clients of LibreTranslate, with a page to try them in.

    s2s serve
    s2s serve -m en-de=en-de/model -m de-en=de-en/model --int8
    curl localhost:5000/translate -d q="A dog runs." -d source=en -d target=de

    The page is at /, the description of the interface at /openapi.json. Clients of LibreTranslate
    find /translate, /languages and /detect; recordings go to /v1/audio/transcriptions. Lines of
    requests that come together are translated together. An export (s2s export) answers faster; the
    page shows attention, beam search and saliency with --engine pytorch. SIGTERM or Ctrl-C ends the
    server after what is queued is answered.
    """
    try:
        from s2scli.pipeline import serve as story
    except ImportError as error:
        if error.name not in EXTRA:
            raise
        raise MissingExtraError(
            f'{error.name} is not installed: pip install "s2scli[serve]"'
        ) from error
    request = story.ServeRequest(
        [story.ModelRequest.read(text) for text in models or ()],
        *(settings, limits, overrides, stream, engine, device, token_file, cors or ()),
    )

    def started(address: str, served: Sequence[dict[str, Any]]) -> None:
        if common.json:
            common.talk.show_json({"address": address, "models": served})
        else:
            common.talk.say(f"{address} serves {', '.join(one['name'] for one in served)}")

    with flag_errors():
        number = story.serve(common.workspace, request, common.talk, started)
    raise typer.Exit(128 + number)
