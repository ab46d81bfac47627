"""Servers for tests: their parts around a stub, and a real one in a thread."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx

from s2scli.serve.app import Surroundings, make_app
from s2scli.serve.batching import BatchingQueue
from s2scli.serve.guard import App, Gate
from s2scli.serve.models import Catalogue, Served
from s2scli.serve.server import address_of, listen, run
from s2scli.serve.service import Service
from s2scli.serve.settings import RequestLimits
from s2scli.translation.translator import Translator
from tests.translation.stub import stub_translator

BASE = "http://localhost"


def silent(text: str) -> None:
    """Report nothing."""


def served(name: str = "en-de", translator: Translator | None = None, **more: Any) -> Served:
    """Return a model from English to German: by default a stub that says everything louder."""
    translator = translator or stub_translator()
    languages = {"source": "en", "target": "de", **more}
    return Served(name, translator, translator.engine.settings, **languages)


def service_of(*models: Served, token: str = "", cache_lines: int = 0, **limits: Any) -> Service:
    """Return a service of some models, or of a stub."""
    given, read = models or (served(),), RequestLimits.model_validate(limits)
    queues = {
        one.name: BatchingQueue(one.translator, 64, read.max_waiting, cache_lines) for one in given
    }
    return Service(Catalogue(given), queues, read, token=token)


def app_of(
    service: Service,
    *,
    gate: Gate | None = None,
    origins: Sequence[str] = (),
    report: Callable[[str], None] = silent,
    detail: Callable[[str], None] = silent,
) -> App:
    """Return the application of a service."""
    around = Surroundings(not service.token, origins, True, report, detail)
    return make_app(service, gate or Gate(), around)


def send(app: App, method: str, path: str, **request: Any) -> httpx.Response:
    """Return the answer to a request."""
    (answer,) = send_all(app, [(method, path, request)])
    return answer


def send_all(app: App, requests: Sequence[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
    """Return the answers to requests that come together."""

    async def together() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as client:
            return await asyncio.gather(
                *(client.request(method, path, **request) for method, path, request in requests)
            )

    return asyncio.run(together())


@contextlib.contextmanager
def running(service: Service) -> Iterator[str]:
    """Run a server in a thread; yield its address."""
    gate = Gate()
    with listen("127.0.0.1", 0) as listening:
        app, seconds = app_of(service, gate=gate), service.limits.max_seconds
        thread = threading.Thread(target=run, args=(app, gate, listening, seconds))
        thread.start()
        try:
            yield address_of(listening)
        finally:
            gate.draining = True
            thread.join()
