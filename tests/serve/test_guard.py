"""What every request passes: its host, its size, its time; and failures without a traceback."""

import asyncio
from typing import Any

import pytest

from s2scli.serve.guard import Gate, Guard, Receive, Scope, Send, _host
from tests.serve.serving import app_of, send, service_of


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", "localhost"),
        ("localhost:5000", "localhost"),
        ("[::1]:5000", "::1"),
        ("[::1]", "::1"),
        ("evil.com", "evil.com"),
        ("", ""),
    ],
)
def test_hosts(header: str, host: str) -> None:
    assert _host(header) == host


def test_other_names_of_the_server_need_a_token() -> None:
    headers = {"host": "evil.com"}
    refused = send(app_of(service_of()), "GET", "/health", headers=headers)
    assert (refused.status_code, refused.json()["error"][:5]) == (403, "host:")
    with_token = app_of(service_of(token="a secret that is long"))
    assert send(with_token, "GET", "/health", headers=headers).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_large_body_is_refused(stream: bool) -> None:
    async def chunks() -> Any:
        for _ in range(30):
            yield b"x" * 100

    app = app_of(service_of(max_body=1000))
    headers = {"content-type": "application/json"}
    content = chunks() if stream else b"x" * 3000
    refused = send(app, "POST", "/translate", content=content, headers=headers)
    assert refused.status_code == 413
    assert refused.json()["error"].startswith("max_body: at most 1,000 here, found ")


def test_a_server_that_ends_refuses() -> None:
    refused = send(app_of(service_of(), gate=Gate(draining=True)), "GET", "/health")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json() == {"error": "the server is ending and accepts no requests"}


def guard_of(app: Any, said: list[str]) -> Guard:
    counts = service_of().counts
    return Guard(app, Gate(), counts, 1000, 0.05, True, said.append, lambda text: None)


def test_a_failure_says_nothing_of_the_text() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("the secret text")

    said: list[str] = []
    answer = send(guard_of(fail, said), "GET", "/")
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed at this request; its owner can see why"}
    assert said == ["a request failed: ValueError"]


def test_a_late_answer_names_the_limit() -> None:
    async def sleep(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(10)

    answer = send(guard_of(sleep, []), "GET", "/")
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("max_seconds: no answer within 0.05")
