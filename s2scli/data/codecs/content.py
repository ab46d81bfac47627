"""The content of a sound or a picture: the bytes of a file, or of a `data:` URI."""

import base64
import io
from typing import BinaryIO, Literal

from s2scli.artifacts import open_regular
from s2scli.data.codecs.cell import URI, BadCellError, is_uri

Kind = Literal["audio", "image"]

EXAMPLES = {"audio": "data:audio/wav;base64,...", "image": "data:image/png;base64,..."}


def open_content(name: str, kind: Kind, shown: str) -> BinaryIO:
    """Open a regular file or a data URI for reading; the caller closes it.

    Opening never blocks: pipes and devices are refused.

    Args:
        name: a path, or a URI `data:audio/...;base64,...` or `data:image/...;base64,...`.
        kind: the type of content that a URI must have.
        shown: the name as error messages show it.

    Raises:
        BadCellError: the reason is missing or unreadable.
    """
    if is_uri(name):
        return io.BytesIO(content_of_uri(name, kind, shown))
    try:
        file = open_regular(name, follow_links=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadCellError("missing", f"{shown}: no such file; check the path") from error
    except OSError as error:
        raise BadCellError("unreadable", f"{shown}: cannot be read: {fault_of(error)}") from error
    except ValueError as error:  # a NUL or a lone surrogate
        raise BadCellError("missing", f"{shown}: not the name of a file; check the path") from error
    if file is None:
        raise BadCellError("unreadable", f"{shown}: not a regular file")
    return file


def content_of_uri(uri: str, kind: Kind, shown: str) -> bytes:
    """Return the decoded content of a data URI.

    Raises:
        BadCellError: the URI has another type of content, or its base64 text is damaged.
    """
    head, comma, content = uri.partition(",")
    if not (comma and head.startswith(f"{URI}{kind}/") and head.endswith(";base64")):
        raise BadCellError("unreadable", f"{shown}: expected {EXAMPLES[kind]}")
    try:
        return base64.b64decode(content, validate=True)
    except ValueError as error:
        raise BadCellError("unreadable", f"{shown}: damaged base64; encode it again") from error


def fault_of(error: OSError) -> str:
    """Return the message of an operating-system error, in lower case."""
    return (error.strerror or str(error)).lower()
