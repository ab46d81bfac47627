"""Read bytes as files of a format, for tests."""

import io
from pathlib import Path

from s2scli.data.formats import FORMATS
from s2scli.data.lines import TextFile
from s2scli.data.rows import ReadRow

LIMIT = 100


def read(name: str, *files: bytes) -> list[ReadRow]:
    """Return the rows of files called `a.0`, `a.1`; a line may have `LIMIT` bytes."""
    texts = [
        TextFile(Path("folder", f"a.{number}"), io.BytesIO(data))
        for number, data in enumerate(files)
    ]
    return list(FORMATS[name].read(texts, LIMIT))
