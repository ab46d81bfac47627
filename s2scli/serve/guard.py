"""What every request passes first: its host, its size, and whether the server still accepts any."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from s2scli.serve.counts import Counts
from s2scli.serve.refusal import RequestError, over
from s2scli.serve.settings import is_local

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Report = Callable[[str], None]

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
UNEXPECTED = "the server failed at this request; its owner can see why"


@dataclass
class Gate:
    """Whether the server accepts requests.

    Attributes:
        draining: whether it ends, and refuses new requests.
    """

    draining: bool = False


@dataclass(frozen=True)
class Guard:
    """The application with checks around it. A failure becomes an answer without a traceback.

    Attributes:
        app: the application.
        gate: whether requests are accepted.
        counts: counts the requests.
        max_body: the largest body in bytes.
        max_seconds: the longest time from a request to its answer.
        local_only: whether only the names of this computer are accepted as the host, so that no web
            page can reach the server by a name of its own (DNS rebinding).
        report: is told of failures, by the kind of error only.
        detail: is told of every request: method, path, status and time.
    """

    app: App
    gate: Gate
    counts: Counts
    max_body: int
    max_seconds: float
    local_only: bool
    report: Report
    detail: Report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        try:
            self._check(scope)
            async with asyncio.timeout(self.max_seconds):
                await self.app(scope, self._limited(receive), answer)
        except RequestError as refused:
            if not status:
                await _refuse(answer, refused)
        except TimeoutError:
            if not status:
                late = f"max_seconds: no answer within {self.max_seconds:g}; try again later"
                await _refuse(answer, RequestError(503, late))
        except Exception as error:  # noqa: BLE001 - an answer without a traceback
            self.report(f"a request failed: {type(error).__name__}")
            if not status:
                await _refuse(answer, RequestError(500, UNEXPECTED))
        seconds = time.perf_counter() - begin
        path = getattr(scope.get("route"), "path", "")  # a route's own name for its paths
        self.counts.request(path, status, seconds)
        self.detail(f"{scope['method']} {path or '(other)'} {status} {seconds * 1000:.0f} ms")

    def _check(self, scope: Scope) -> None:
        """Refuse a request by its head alone."""
        if self.gate.draining:
            raise RequestError(503, "the server is ending and accepts no requests")
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if self.local_only and not is_local(_host(headers.get(b"host", ""))):
            raise RequestError(
                403, "host: expected localhost or 127.0.0.1; for other names, start with a token"
            )
        length = headers.get(b"content-length", "")
        if length.isdecimal() and int(length) > self.max_body:
            raise over("max_body", self.max_body, int(length))

    def _limited(self, receive: Receive) -> Receive:
        """Return a function that receives a body only up to its limit."""
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.max_body:
                raise over("max_body", self.max_body, size)
            return message

        return limited


def _host(header: str) -> str:
    """Return the host of a header, without the port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] or header if ":" in header else header


async def _refuse(send: Send, refused: RequestError) -> None:
    body = json.dumps({"error": refused.message}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *[(b"retry-after", b"1")] * (refused.status in (429, 503)),
        *[(b"connection", b"close")] * (refused.status in (413, 503)),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
