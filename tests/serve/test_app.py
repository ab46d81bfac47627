"""The interface: LibreTranslate's own client, its description, and what is malformed."""

import asyncio
import json
import random
from typing import Any

import httpx
import pytest
from libretranslatepy import LibreTranslateAPI

from s2scli.serve.guard import Gate
from tests.serve.serving import app_of, running, send, send_all, served, service_of

APP = app_of(service_of())
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")


def test_the_client_of_libretranslate_understands() -> None:
    with running(service_of(served(), served("back", source="de", target="en"))) as address:
        client = LibreTranslateAPI(address)
        assert client.translate("a dog", "en", "de") == "A DOG"
        assert client.translate("ein Hund", "auto", "en") == "EIN HUND"
        assert client.languages()[0] == {"code": "en", "name": "English", "targets": ["de"]}
        assert client.detect("Der Hund läuft auf der Straße.")[0]["language"] == "de"


def test_the_description_loads_nothing_and_names_the_errors() -> None:
    description = send(APP, "GET", "/openapi.json").json()
    translate = description["paths"]["/translate"]["post"]
    assert set(translate["responses"]) == {"200", "400", "403", "413", "429", "500", "503"}
    assert set(translate["requestBody"]["content"]) == {
        "application/json",
        "application/x-www-form-urlencoded",
    }
    assert send(APP, "GET", "/docs").status_code == 404
    assert send(APP, "GET", "/health").json() == {"status": "ok"}


def test_other_paths_and_methods_are_errors_in_json() -> None:
    missing, wrong = send(APP, "GET", "/nothing"), send(APP, "GET", "/translate")
    assert (missing.status_code, missing.json()) == (404, {"error": "Not Found"})
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_only_the_given_sites_may_read_answers() -> None:
    headers = {"origin": "https://a.example"}
    assert "access-control-allow-origin" not in send(APP, "GET", "/health", headers=headers).headers
    app = app_of(service_of(), origins=["https://a.example"])
    allowed = send(app, "GET", "/health", headers=headers).headers
    assert allowed["access-control-allow-origin"] == "https://a.example"
    assert "access-control-allow-credentials" not in allowed
    ending = app_of(service_of(), origins=["https://a.example"], gate=Gate(draining=True))
    refused = send(ending, "GET", "/health", headers=headers)
    assert refused.status_code == 503
    assert refused.headers["access-control-allow-origin"] == "https://a.example"
    other = send(app, "GET", "/health", headers={"origin": "https://b.example"}).headers
    assert "access-control-allow-origin" not in other


def test_requests_are_counted_and_logged_without_text() -> None:
    said: list[str] = []
    app = app_of(service_of(), report=said.append, detail=said.append)
    send(app, "POST", "/translate?q=secret", json={"q": "secret", "source": "en", "target": "de"})
    send(app, "GET", "/secret")
    assert "secret" not in " ".join(said)
    assert said[0].startswith("POST /translate 200 ")
    text = send(app, "GET", "/metrics").text
    assert 's2s_requests_total{route="/translate",status="200"} 1' in text
    assert "secret" not in text


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_a_client_that_leaves_while_it_sends_is_no_failure(kind: str) -> None:
    said: list[str] = []
    service = service_of()
    app = app_of(service, report=said.append)
    messages = [
        {"type": "http.request", "body": b"--x\r\n", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def nobody(message: Any) -> None:
        """Receive an answer."""

    async def ask() -> None:
        headers = [(b"host", b"localhost"), (b"content-type", kind.encode())]
        scope = {"type": "http", "method": "POST", "path": "/translate", "headers": headers}
        await app({**scope, "query_string": b""}, receive, nobody)

    asyncio.run(ask())
    assert said == []
    assert 'route="/translate",status="499"} 1' in service.counts.text({})


def malformed(order: random.Random) -> tuple[str, str, dict[str, Any]]:
    """Return a request that is wrong somewhere, or nowhere."""
    values: list[Any] = [
        *("a", "", "en", "de", "auto", "html", "\x00", "\ud800", "🙂" * 50, "../../etc/passwd"),
        *(None, 0, -1, 1.5, True, [], ["a", 1], {}, {"a": []}, 10**30, float("nan"), [[[]]]),
        *("data:image/png;base64,AAAA", "<" * 200, "&#" * 99, "\n" * 300, "boom", ["boom", "b"]),
    ]
    paths = [
        *("/translate", "/detect", "/s2s/look", "/s2s/between", "/s2s/inspect/search"),
        *("/v1/audio/transcriptions", "/s2s/read/image", "/s2s/read/text", "/languages", "/"),
        *("/openapi.json", "/%00", "/..%2f..", "/metrics", "/s2s/models"),
    ]
    names = ["q", "source", "target", "format", "alternatives", "model", "first", "second", "file"]
    body = {name: order.choice(values) for name in names if order.random() < 0.7}
    if order.random() < 0.5:
        body |= {"source": "en", "target": "de"}
    content = json.dumps(body).encode()
    if order.random() < 0.3:
        at = order.randrange(len(content))
        content = content[:at] + bytes([order.randrange(256)]) + content[at + order.randrange(3) :]
    kinds = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
    kind = order.choice([*kinds, "multipart/form-data; boundary=x", "text/plain", "\xff", ""])
    if kind.endswith("=x"):
        part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        content = part + content + order.choice([b"\r\n--x--\r\n", b"", b"\r\n--x"])
    method = "POST" if order.random() < 0.8 else order.choice(METHODS)
    headers = {b"content-type": kind.encode("latin-1")}
    return method, order.choice(paths), {"content": content, "headers": headers}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # torn uploads
def test_a_thousand_malformed_requests_are_refused_not_failed() -> None:
    order = random.Random(1)
    app = app_of(service_of())
    asked = [malformed(order) for _ in range(1000)]
    answers = send_all(app, asked)
    statuses = {answer.status_code for answer in answers}
    failed = [one.json() for one in answers if one.status_code == 500]
    assert all("the model failed at line" in one["error"] for one in failed)  # of "boom"
    assert statuses <= {200, 400, 403, 404, 405, 413, 500}
    for answer in answers:
        if answer.status_code >= 400 and answer.request.method != "HEAD":
            assert list(answer.json()) == ["error"]
            assert "Traceback" not in answer.text


def check_by_schemathesis(paths: str, examples: int) -> None:
    """Send what the description allows and what it forbids; the answers must be as described.

    Args:
        paths: a pattern of the paths to try.
        examples: the number of requests to each.
    """
    import schemathesis  # takes a second to import
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
    from schemathesis.checks import CHECKS
    from schemathesis.core.result import Ok

    app = app_of(service_of())
    schema = schemathesis.openapi.from_dict(send(app, "GET", "/openapi.json").json())
    # a language that is not served is refused, which a description cannot say
    excluded = CHECKS.get_by_names(["positive_data_acceptance"])
    modes = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
    for result in schema.include(path_regex=paths).get_all_operations():
        assert isinstance(result, Ok), result
        operation: Any = result.ok()
        cases = [operation.as_strategy(generation_mode=mode) for mode in modes]

        @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
        @given(case=st.one_of(*cases))
        def check(case: Any) -> None:
            request = case.as_transport_kwargs(base_url="http://localhost")
            request.pop("cookies", None)
            asked = httpx.Request(**request)
            content, headers = asked.read(), asked.headers
            answer = send(app, asked.method, str(asked.url), content=content, headers=headers)
            case.validate_response(answer, excluded_checks=excluded)

        check()


@pytest.mark.filterwarnings("ignore")
def test_the_interface_is_as_described() -> None:
    check_by_schemathesis("^/translate$", 5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_interface_is_as_described_at_length() -> None:
    check_by_schemathesis("^/(?!v1/|s2s/read/)", 100)  # it cannot send what is no file as a file
