"""Bodies: JSON or forms; what is wrong is named and never quoted."""

import json
from typing import Any

import pytest

from tests.serve.serving import app_of, send, service_of

FORM = "application/x-www-form-urlencoded"
APP = app_of(service_of())
FINE = {"q": "a", "source": "en", "target": "de"}


def post(**request: Any) -> tuple[int, str]:
    answer = send(APP, "POST", "/translate", **request)
    return answer.status_code, answer.json().get("error", "")


def test_json_forms_and_parts_are_read_alike() -> None:
    for request in ({"json": FINE}, {"data": FINE}, {"data": FINE, "files": {"x": (None, "y")}}):
        assert post(**request) == (200, "")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "q: Field required"),
        ({**FINE, "q": 5}, "q: Input should be a valid string"),
        ({**FINE, "q": ["a", None]}, "q: Input should be a valid string"),
        ({**FINE, "q": "secret \ud800"}, "q: Value error, holds half of a surrogate pair"),
        ({**FINE, "alternatives": -1}, "alternatives: Input should be greater than or equal to 0"),
        ({**FINE, "alternatives": "1"}, "alternatives: Input should be a valid integer"),
        ({**FINE, "alternatives": True}, "alternatives: Input should be a valid integer"),
        ({**FINE, "format": "pdf"}, "format: Input should be 'text' or 'html'"),
        ([], "the body: Input should be a valid dictionary or instance of TranslateBody"),
        ("secret", "the body: Input should be a valid dictionary or instance of TranslateBody"),
    ],
)
def test_a_wrong_field_is_named(body: Any, error: str) -> None:
    headers = {"content-type": "application/json"}
    assert post(content=json.dumps(body).encode(), headers=headers) == (400, error)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"q": NaN'])
def test_what_is_not_json_is_refused(content: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert post(content=content, headers=headers) == (400, "the body is not valid JSON in UTF-8")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml"])
def test_other_content_is_refused(kind: str) -> None:
    status, error = post(content=b"q=a", headers={"content-type": kind} if kind else {})
    assert status == 400
    assert error.startswith("content-type: expected application/json")


def test_a_form_may_repeat_its_text() -> None:
    body = {"q": ["a", "b"], "source": "en", "target": "de", "alternatives": "0"}
    answer = send(APP, "POST", "/translate", data=body)
    assert answer.json() == {"translatedText": ["A", "B"]}


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"json": {}}, "content-type: expected multipart/form-data with a file"),
        ({"files": {"other": ("a", b"x")}}, "file: missing; expected the content of a file"),
        ({"data": {"file": "/etc/passwd"}, "files": {"x": (None, "y")}}, "file: missing"),
    ],
)
def test_an_upload_needs_a_file(request_: dict[str, Any], error: str) -> None:
    answer = send(APP, "POST", "/v1/audio/transcriptions", **request_)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


@pytest.mark.parametrize("raw", ["q=<i>Grüße</i>", "q=%3Ci%3EGr%C3%BC%C3%9Fe%3C/i%3E"])
def test_a_form_is_utf_8_encoded_or_not(raw: str) -> None:
    content = f"{raw}&source=en&target=de&format=html".encode()
    answer = send(APP, "POST", "/translate", content=content, headers={"content-type": FORM})
    assert answer.json()["translatedText"].upper() == "<I>GRÜSSE</I>"


@pytest.mark.parametrize("content", [b"q=\xfc", b"q=%FC", b"&".join([b"a=b"] * 1001)])
def test_what_is_no_form_in_utf_8_is_refused(content: bytes) -> None:
    status, error = post(content=content, headers={"content-type": FORM})
    assert status == 400 and error.startswith("the body is no form in UTF-8 of at most")
