"""Feed bytes to the readers of all corpus formats with atheris, until one fails other than it may.

Run it by hand, for some minutes (`pip install atheris`); an argument after `--` of libFuzzer such
as `-max_total_time=300` ends it:

    python -m tests.fuzz.fuzz_formats -max_total_time=300 -rss_limit_mb=4000

The first byte of an input chooses the format and the compression; the rest is the file.
"""

import bz2
import gzip
import io
import lzma
import sys
import tempfile
from importlib import import_module
from pathlib import Path

atheris = import_module("atheris")  # in no extra: pip install atheris

with atheris.instrument_imports(include=["s2scli.data"]):
    from s2scli.data.example import Example
    from s2scli.data.formats import FORMATS
    from s2scli.data.lines import TextFile
    from s2scli.data.rows import BadLine
    from s2scli.errors import S2SError
    from tests.data.formats.writers import WRITERS, write

LIMIT = 4096
NAMES = sorted(FORMATS)
PACKED = (bytes, bytes, gzip.compress, bz2.compress, lzma.compress)
PAIRS = [("a", "ä"), ('b "c", d', "e\tf"), ("g & <h>", "i")]


def test_one_input(data: bytes) -> None:
    """Read one file; anything but rows in order, or one fault, ends the program."""
    choice, content = (data or b"\0")[0], data[1:]
    name = NAMES[choice % len(NAMES)]
    packed = PACKED[choice // len(NAMES) % len(PACKED)](content)
    with tempfile.NamedTemporaryFile() as file:
        file.write(packed)
        file.flush()
        path = Path(file.name)
        try:
            files = [TextFile(path, io.BytesIO(packed)) for _ in range(FORMATS[name].files)]
            rows = list(FORMATS[name].read(files, LIMIT))
        except S2SError as error:
            assert "\n" not in str(error), error
            return
    numbers = [row.line for row in rows if isinstance(row, Example | BadLine)]
    assert numbers == list(range(1, len(numbers) + 1)), numbers


def seeds(folder: Path) -> None:
    """Write a valid file of every format, so that the search begins with them."""
    for number, name in enumerate(WRITERS):
        (path,) = write(folder, name, PAIRS)
        kind = {".feather": "arrow"}.get(path.suffix, path.suffix[1:])
        content = bytes([NAMES.index(kind)]) + path.read_bytes()
        (folder / f"seed-{number}").write_bytes(content)
        path.unlink()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        seeds(Path(folder))
        atheris.Setup([*sys.argv, folder], test_one_input)
        atheris.Fuzz()
