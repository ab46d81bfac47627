"""The page: one file that loads nothing else, and works in a browser."""

import re
import shutil

from s2scli.serve.page import PAGE, PAGE_HEADERS
from tests.serve.serving import app_of, send, service_of

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


def test_the_page_names_no_other_address() -> None:
    addresses = set(re.findall(r"""https?://[^\s"'<]+""", PAGE))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name space, which is never fetched
    assert re.findall(r"<(?:script|link|img|iframe)[^>]* (?:src|href)=\"(?!data:)", PAGE) == []
    assert "innerHTML" not in PAGE


def test_only_its_own_script_and_style_run() -> None:
    policy = PAGE_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    answer = send(app_of(service_of()), "GET", "/")
    assert answer.headers["content-security-policy"] == policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text == PAGE


def test_every_control_has_a_label() -> None:
    for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", PAGE):
        name = re.search(r'id="([^"]+)"', tag)
        assert name, tag
        labelled = f'for="{name[1]}"' in PAGE or "aria-label" in tag
        assert labelled or re.search(rf"<label>[^/]*{re.escape(tag)}", PAGE), tag
