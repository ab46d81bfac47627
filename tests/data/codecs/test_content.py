"""The bytes of files and of `data:` URIs; anything else is refused without waiting."""

import base64
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from s2scli.data.codecs.cell import BadCellError
from s2scli.data.codecs.content import Kind, content_of_uri, open_content

CONTENT = bytes(range(256))
KINDS: tuple[Kind, ...] = ("audio", "image")


def refusal(name: str, kind: Kind = "image") -> BadCellError:
    with pytest.raises(BadCellError) as caught, open_content(name, kind, "NAME"):
        pass
    assert str(caught.value).startswith("NAME: ")
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_and_a_uri_hold_the_same_bytes(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(CONTENT)
    uri = f"data:{kind}/x-any;name=a;base64,{base64.b64encode(CONTENT).decode()}"
    for name in (str(path), uri):
        with open_content(name, kind, "NAME") as file:
            assert file.read() == CONTENT
    assert content_of_uri(uri, kind, "NAME") == CONTENT


ODD_PATHS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing": (lambda path: None, "missing", "no such file; check the path"),
    "folder": (lambda path: path.mkdir(), "unreadable", "not a regular file"),
    "FIFO": (lambda path: os.mkfifo(path), "unreadable", "not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "unreadable", "not a regular file"),
    "link loop": (lambda path: path.symlink_to(path), "unreadable", "cannot be read: too many"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="needs the odd files of Unix")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", ODD_PATHS)
def test_an_odd_path_is_refused_at_once(what: str, tmp_path: Path) -> None:
    make, reason, fault = ODD_PATHS[what]
    make(tmp_path / "a")
    error = refusal(str(tmp_path / "a"))
    assert error.reason == reason and fault in str(error)


@pytest.mark.parametrize("name", ["a\0b", "\ud812"])
def test_what_is_no_name_is_missing(name: str) -> None:
    assert refusal(name).reason == "missing"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("uri", ["data:", "data:{},AAAA", "data:text/html;base64,AAAA"])
def test_a_uri_of_another_type_is_refused(kind: Kind, uri: str) -> None:
    error = refusal(uri.format(f"{kind}/x"), kind)
    assert error.reason == "unreadable"
    assert f"expected data:{kind}/" in str(error)


@pytest.mark.parametrize("text", ["A", "AA\tAA", "é", "AAA\u0661"])
def test_damaged_base64_is_refused(text: str) -> None:
    error = refusal(f"data:image/png;base64,{text}")
    assert (error.reason, str(error)) == ("unreadable", "NAME: damaged base64; encode it again")
