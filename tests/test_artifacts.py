"""Artifacts are regular files of bounded size; whatever else is in their place is refused."""

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from s2scli.artifacts import (
    MAX_VALUES,
    check_tree,
    open_artifact,
    plain_file_size,
    read_artifact,
    read_json,
    sha256_of,
)
from s2scli.errors import CheckpointError

READERS = (open_artifact, read_artifact, plain_file_size, sha256_of, read_json)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket is short
        try:
            listener.bind(path.name)
        finally:
            os.chdir(here)


def link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


ODD: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "socket": make_socket,
    "link to a file": lambda path: path.symlink_to("/etc/passwd"),
    "link to a pipe": link_to_pipe,
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("read", READERS)
def test_only_regular_files_are_opened(
    tmp_path: Path, make: Callable[[Path], object], read: Callable[[Path], object]
) -> None:
    make(tmp_path / "odd")
    with pytest.raises(CheckpointError, match="odd: not a regular file"):
        read(tmp_path / "odd")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_refused(device: str) -> None:
    with pytest.raises(CheckpointError, match=r"not a regular file|missing or unreadable"):
        open_artifact(Path(device))


@pytest.mark.parametrize("read", READERS)
def test_what_is_missing_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(CheckpointError, match=r"gone: missing or unreadable \(No such file"):
        read(tmp_path / "gone")


@pytest.mark.parametrize("read", READERS)
def test_what_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, read: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "file").write_bytes(b"{}")
    monkeypatch.setattr(os, "open", forbid)  # the tests may run as root
    with pytest.raises(CheckpointError, match=r"file: cannot be read \(Permission denied\)$"):
        read(tmp_path / "file")


def test_a_disk_that_fails_is_not_damaged_content(tmp_path: Path) -> None:
    """The memory of this process is a regular file whose first byte cannot be read."""
    for read in (read_artifact, sha256_of, read_json):
        with pytest.raises(CheckpointError, match=r"mem: cannot be read \(Input/output error\)"):
            read(Path("/proc/self/mem"))


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(10**12)  # a hole
    with pytest.raises(CheckpointError, match=r"1000000000000 bytes is too large \(limit 5\)"):
        read_artifact(tmp_path / "file", 5)
    assert plain_file_size(tmp_path / "file") == 10**12


BAD_JSON: dict[str, tuple[Callable[[], bytes], str]] = {
    "a list": (lambda: b"[]", "expected a JSON object"),
    "a half": (lambda: b"{", "damaged JSON"),
    "not UTF-8": (lambda: b"\xff", "damaged JSON"),
    "brackets": (lambda: b"[" * 100_000, "damaged JSON"),
    "10 MB and a byte": (lambda: b" " * 10_000_001, "10000001 bytes is too large"),
    "objects in objects": (
        lambda: b'{"a":' * 900 + b"1" + b"}" * 900,
        r"damaged JSON \(more than 50 levels",
    ),
    "lists in lists": (
        lambda: b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}",
        r"damaged JSON \(more than 50 levels",
    ),
    "no number": (lambda: b'{"a": NaN}', "damaged JSON .NaN is not"),
    "minus infinity": (lambda: b'{"a": -Infinity}', "damaged JSON .-Infinity is not"),
    "too large a number": (lambda: b'{"a": 1e999}', "damaged JSON .the number 1e999 is too large"),
    "700,000 keys": (
        lambda: json.dumps(dict.fromkeys(map(str, range(700_000)), 1)).encode(),
        "more than 100000 val",
    ),
    "3,000,000 lists": (
        lambda: b'{"a": [' + b"[]," * 3_000_000 + b"[]]}",
        "more than 100000 values",
    ),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_refused_within_a_second(tmp_path: Path, name: str) -> None:
    content, message = BAD_JSON[name]
    (tmp_path / "file").write_bytes(content())
    begin = time.process_time()
    with pytest.raises(CheckpointError, match=message):
        read_json(tmp_path / "file")
    assert time.process_time() - begin < 1


def test_a_tree_has_a_limit_of_values_and_of_levels() -> None:
    check_tree([0] * MAX_VALUES)
    with pytest.raises(ValueError, match="more than 100000 values"):
        check_tree({"a": [0] * MAX_VALUES})
    deep: object = 1
    for _ in range(49):
        deep = {"a": deep}
    check_tree(deep)
    with pytest.raises(ValueError, match="more than 50 levels"):
        check_tree({"a": deep})
