"""The application: LibreTranslate's interface, transcriptions, looks into models, and the page."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from s2scli import __version__
from s2scli.data.codecs.sound_files import native_seconds
from s2scli.serve.answers import (
    REFUSALS,
    Detected,
    Health,
    Language,
    Transcription,
    Translated,
    transcription,
)
from s2scli.serve.bodies import (
    FORM,
    JSON,
    PARTS,
    BetweenBody,
    DetectBody,
    FileBody,
    SentenceBody,
    TranslateBody,
    read_body,
    read_upload,
    schema_of,
)
from s2scli.serve.guard import UNEXPECTED, App, Gate, Guard, Report
from s2scli.serve.insight import record_document
from s2scli.serve.page import PAGE, PAGE_HEADERS
from s2scli.serve.refusal import GONE, RequestError
from s2scli.serve.service import Service, uri_of


@dataclass(frozen=True)
class Surroundings:
    """What is around the application.

    Attributes:
        local_only: whether only the names of this computer are accepted as the host.
        origins: the web pages that may use the server, such as `https://example.org`.
        metrics: whether /metrics is shown.
        report: is told of failures.
        detail: is told of every request.
    """

    local_only: bool
    origins: Sequence[str]
    metrics: bool
    report: Report
    detail: Report


def make_app(service: Service, gate: Gate, around: Surroundings) -> App:
    """Return the application with its checks.

    Args:
        service: what answers requests.
        gate: whether requests are accepted.
        around: what is around the application.
    """
    app = FastAPI(
        title="s2s",
        version=__version__,
        description="Translations by sequence-to-sequence models; LibreTranslate's interface.",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_refusals(app)
    _add_translation(app, service)
    _add_files(app, service)
    _add_insights(app, service)
    _add_pages(app, service, metrics=around.metrics)
    limits = service.limits
    guard = Guard(
        *(app, gate, service.counts, limits.max_body, limits.max_seconds),
        *(around.local_only, around.report, around.detail),
    )
    if not around.origins:
        return guard
    return CORSMiddleware(  # around the guard, so that pages can read its refusals, too
        guard,
        allow_origins=list(around.origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
    )


def _add_refusals(app: FastAPI) -> None:
    """Answer every error as `{"error": ...}`."""

    async def refused(_: Request, error: Any) -> Response:
        retry = {"Retry-After": "1"} if error.status == 429 else {}
        return JSONResponse({"error": error.message}, error.status, retry)

    async def not_http(_: Request, error: Any) -> Response:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    async def gone(_: Request, error: Any) -> Response:
        return JSONResponse({"error": GONE}, 499)

    async def failed(_: Request, error: Any) -> Response:
        return JSONResponse({"error": UNEXPECTED}, 500)

    app.add_exception_handler(RequestError, refused)
    app.add_exception_handler(HTTPException, not_http)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, failed)


def _add_translation(app: FastAPI, service: Service) -> None:
    """Add the interface of LibreTranslate."""

    @app.post(
        "/translate",
        response_model=Translated,
        response_model_exclude_none=True,
        responses=REFUSALS,
        openapi_extra=schema_of(TranslateBody, JSON, FORM),
    )
    async def translate(request: Request) -> Any:
        """Translate a text, or several."""
        body = await read_body(request, TranslateBody)
        service.admit(request, body.api_key)
        return await service.translate(body, request)

    @app.post(
        "/detect",
        response_model=list[Detected],
        responses=REFUSALS,
        openapi_extra=schema_of(DetectBody, JSON, FORM),
    )
    async def detect(request: Request) -> Any:
        """Detect the language of a text, among those that the models translate from."""
        body = await read_body(request, DetectBody)
        service.admit(request, body.api_key)
        return await service.detect(body.q)

    @app.get("/languages", response_model=list[Language])
    async def languages() -> Any:
        """List the languages, and those that each can be translated to."""
        return service.catalogue.languages()

    @app.get("/health", response_model=Health)
    async def health() -> Any:
        """Say that the server accepts requests."""
        return Health()


def _add_files(app: FastAPI, service: Service) -> None:
    """Add what reads recordings and pictures."""

    @app.post(
        "/v1/audio/transcriptions",
        responses={**REFUSALS, 200: {"model": Transcription, "content": {"text/plain": {}}}},
        openapi_extra=schema_of(FileBody, PARTS, file=True),
    )
    async def transcribe(request: Request) -> Response:
        """Return what is said in a recording, as OpenAI's interface does."""
        body, content = await read_upload(request, service.limits.max_body)
        service.admit(request, body.api_key)
        record = await service.read("audio", body, content, request)
        seconds = await asyncio.to_thread(native_seconds, uri_of("audio", content))
        return transcription(record, body.response_format, seconds)

    def reads(kind: Literal["audio", "image"]) -> Any:
        async def read(request: Request) -> Response:
            """Return what a model makes of a file, with its attention maps."""
            body, content = await read_upload(request, service.limits.max_body)
            service.admit(request, body.api_key)
            return JSONResponse(record_document(await service.read(kind, body, content, request)))

        return read

    for kind in ("audio", "image"):
        extra = schema_of(FileBody, PARTS, file=True)
        options: Any = {"methods": ["POST"], "responses": REFUSALS, "openapi_extra": extra}
        app.add_api_route(f"/s2s/read/{kind}", reads(kind), name=f"read_{kind}", **options)


def _add_insights(app: FastAPI, service: Service) -> None:
    """Add looks into the models, for the page."""

    @app.get("/s2s/models")
    async def models() -> Response:
        """List the models, what each reads and writes, and what it can show."""
        limits = service.limits.model_dump()
        served = [model.document() for model in service.catalogue.models]
        return JSONResponse({"models": served, "limits": limits, "token": bool(service.token)})

    @app.post("/s2s/look", responses=REFUSALS, openapi_extra=schema_of(SentenceBody, JSON))
    async def look(request: Request) -> Response:
        """Translate a sentence, with the attention maps of all layers and heads."""
        body = await read_body(request, SentenceBody)
        service.admit(request, body.api_key)
        return JSONResponse(await service.look(body, request))

    def inspects(insight: Literal["search", "saliency"]) -> Any:
        async def inspect(request: Request) -> Response:
            """Show the beam search of a sentence, or what in it caused its translation."""
            body = await read_body(request, SentenceBody)
            service.admit(request, body.api_key)
            return JSONResponse(await service.inspect(insight, body, request))

        return inspect

    for insight in ("search", "saliency"):
        extra = schema_of(SentenceBody, JSON)
        options: Any = {"methods": ["POST"], "responses": REFUSALS, "openapi_extra": extra}
        app.add_api_route(f"/s2s/inspect/{insight}", inspects(insight), name=insight, **options)

    @app.post("/s2s/between", responses=REFUSALS, openapi_extra=schema_of(BetweenBody, JSON))
    async def between(request: Request) -> Response:
        """Return the outputs on the way from one sentence to another."""
        body = await read_body(request, BetweenBody)
        service.admit(request, body.api_key)
        return JSONResponse(await service.between(body, request))


def _add_pages(app: FastAPI, service: Service, *, metrics: bool) -> None:
    """Add the page, and the counts if they are shown."""

    @app.get("/", response_class=HTMLResponse)
    async def page() -> Response:
        """Show a page to try the models in; it loads nothing else."""
        return HTMLResponse(PAGE, headers=PAGE_HEADERS)

    if not metrics:
        return

    @app.get("/metrics", response_class=PlainTextResponse, responses={403: REFUSALS[403]})
    async def counts(request: Request) -> Response:
        """Show counts and times, in the text format of Prometheus."""
        service.admit(request)
        waiting = {name: queue.waiting for name, queue in service.queues.items()}
        return PlainTextResponse(
            service.counts.text(waiting), media_type="text/plain; version=0.0.4"
        )
