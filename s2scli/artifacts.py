"""Open artifacts (the files that s2s writes) safely: only regular files of limited size.

An artifact may come from an untrusted source. A pipe, a device or a link in its place is refused
at once, without blocking.
"""

import errno
import hashlib
import json
import math
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2scli.errors import CheckpointError

if TYPE_CHECKING:
    from pydantic import ValidationError

MAX_JSON_BYTES = 10_000_000
MAX_VALUES, MAX_LEVELS = 100_000, 50
ODD = (errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.EOPNOTSUPP)
_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):  # missing on some systems
    _FLAGS |= getattr(os, _name, 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def open_regular(path: Path | str, *, follow_links: bool) -> BufferedReader | None:
    """Open a regular file for reading, without waiting; return None for a pipe, device or folder.

    Args:
        path: the path of the file.
        follow_links: accept a link to a regular file.

    Raises:
        OSError: the file cannot be opened.
    """
    descriptor = os.open(path, _FLAGS if follow_links else _FLAGS | _NO_LINK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    return None


def open_artifact(path: Path, limit: int | None = None) -> BufferedReader:
    """Open a regular file for reading; the caller closes it.

    Args:
        path: the path of the file; its folder may be a link, the file itself may not.
        limit: the maximum size in bytes; None accepts any size.

    Raises:
        CheckpointError: the file is missing, unreadable or too large, or it is a link, pipe,
            device or folder.
    """
    try:
        file = open_regular(path, follow_links=False)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: missing or unreadable ({error.strerror})") from error
    except OSError as error:
        if error.errno in ODD:
            raise CheckpointError(f"{path}: not a regular file") from error
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    if file is None:
        raise CheckpointError(f"{path}: not a regular file")
    size = os.fstat(file.fileno()).st_size
    if limit is None or size <= limit:
        return file
    file.close()
    raise CheckpointError(f"{path}: {size} bytes is too large (limit {limit})")


def read_artifact(path: Path, limit: int | None = None) -> bytes:
    """Return the content of a regular file.

    Raises:
        CheckpointError: see `open_artifact`.
    """
    with open_artifact(path, limit) as file:
        try:
            return file.read()
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error


def plain_file_size(path: Path) -> int:
    """Return the size of a regular file; use it before a library opens the path itself.

    Raises:
        CheckpointError: see `open_artifact`.
    """
    with open_artifact(path) as file:
        return os.fstat(file.fileno()).st_size


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a regular file in hexadecimal; the file is read in blocks.

    Raises:
        CheckpointError: see `open_artifact`.
    """
    with open_artifact(path) as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a regular file; limit its size, depth and number of values.

    Raises:
        CheckpointError: the file cannot be opened (see `open_artifact`), is damaged or exceeds a
            limit, or does not hold a JSON object.
    """
    content = read_artifact(path, MAX_JSON_BYTES)
    try:
        if content.count(b",") > 2 * MAX_VALUES:  # commas in strings count too
            raise ValueError(f"more than {MAX_VALUES} values")
        tree = json.loads(content, parse_constant=_refuse_constant, parse_float=_finite)
        check_tree(tree)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged JSON ({error!s:.200})") from error
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: damaged, expected a JSON object")
    return tree


def check_tree(tree: object) -> None:
    """Check the size of a tree of dicts and lists before it is validated.

    Raises:
        ValueError: the tree has too many values or too many levels.
    """
    values, count = [tree], 0
    for _ in range(MAX_LEVELS):
        inner: list[object] = []
        for value in values:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        count += len(inner)
        if count > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
        if not inner:
            return
        values = inner
    raise ValueError(f"more than {MAX_LEVELS} levels of nesting")


def first_fault(error: "ValidationError") -> str:
    """Return the first validation error, as `key: reason`."""
    fault = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in fault["loc"])
    return f"{key:.80}: {fault['msg'].lower():.200}"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a valid JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text:.40} is too large")
    return number
