"""Recognizes files in foreign formats (Excel, zip, JSON, CSV), and tells how to read them."""

import csv
import json
import shlex
from collections import Counter
from collections.abc import Sequence

from s2scli.data.lines import STDIN, TextFile, has_columns
from s2scli.errors import CorpusError

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
SPREADSHEETS = (".xlsx", ".xlsm", ".ods")
FORMAT = "--input-format"
DELIMITERS = ",;|"
MIN_LINES = 3

FROM_EXCEL = (
    "convert it: soffice --headless --convert-to 'csv:Text - txt - csv (StarCalc):9,34,76' {file}, "
    "or copy the two columns into a text editor and save them as UTF-8"
)


def refuse_foreign(file: TextFile, *, by_content: bool = True) -> None:
    """Refuse a file in a foreign format: an Excel workbook or a zip archive, or JSON or CSV as TSV.

    Args:
        file: the file; it must not have been read yet.
        by_content: whether JSON and CSV are refused.

    Raises:
        CorpusError: the file has a foreign format; the message says how to read or convert it.
    """
    if file.continued:
        return
    found = _recognized(file, file.first_lines(), by_content=by_content)
    if found:
        what, how = found
        raise CorpusError(f"{file.name}: looks like {what}, expected source TAB target; {how}")


def _recognized(
    file: TextFile, lines: Sequence[bytes], *, by_content: bool
) -> tuple[str, str] | None:
    """Return the format of a foreign file and advice on reading it; None if not foreign."""
    start = lines[0] if lines else b""
    if start.startswith(ZIP) and file.ending not in SPREADSHEETS:
        return "a zip archive", "unpack it first"
    if start.startswith((ZIP, OLE)):
        return "an Excel workbook", FROM_EXCEL.format(file=_quoted(file))
    if not by_content or has_columns(lines):
        return None
    if _is_object(start):
        return "JSON", f"read it as such: {FORMAT} jsonl"
    if _is_divided(lines):
        return "CSV", f"read it as such, if its first row names the fields: {FORMAT} csv"
    return None


def _is_object(line: bytes) -> bool:
    """Whether a line is a JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_divided(lines: Sequence[bytes]) -> bool:
    """Whether a delimiter divides all rows, at least `MIN_LINES`, into equally many columns."""
    complete = lines[:-1] or lines  # the last one may be cut
    texts = [line.decode(errors="replace") for line in complete]
    if len(texts) < MIN_LINES:
        return False
    return any(_share_divided(texts, delimiter) == 1 for delimiter in DELIMITERS)


def _share_divided(texts: Sequence[str], delimiter: str) -> float:
    """Return the share of rows that have the most frequent number of columns above 1."""
    try:
        counts = Counter(len(row) for row in csv.reader(texts, delimiter=delimiter))
    except csv.Error:
        return 0
    several = Counter({columns: count for columns, count in counts.items() if columns > 1})
    return max(several.values(), default=0) / max(1, counts.total())


def _quoted(file: TextFile) -> str:
    return "FILE" if file.path == STDIN else shlex.quote(str(file.path))
