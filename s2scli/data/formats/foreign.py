"""Recognizes files in foreign formats (Excel, JSON, CSV, zip), and tells how to convert them."""

import csv
import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from s2scli.data.lines import STDIN, TextFile, has_columns
from s2scli.errors import CorpusError

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
SPREADSHEETS = (".xlsx", ".xlsm", ".ods")
JSON_NAMES = (".jsonl", ".ndjson", ".json")
DELIMITERS = ",;|"
MIN_LINES = 3

FROM_EXCEL = (
    "convert it: soffice --headless --convert-to 'csv:Text - txt - csv (StarCalc):9,34,76' {file}, "
    "or copy the two columns into a text editor and save them as UTF-8"
)
FROM_JSON = (
    'import json, sys; [print(*(" ".join(str(cell).split()) for cell in ({cells})), sep="\\t") '
    "for row in {rows}]"
)
FROM_CSV = (
    'import csv, sys; [print(*(" ".join(cell.split()) for cell in row), sep="\\t") '
    'for row in csv.reader(sys.stdin, delimiter="{delimiter}")]'
)


def refuse_foreign(file: TextFile, *, by_content: bool = True) -> None:
    """Refuse a file in a foreign format: an Excel workbook, a zip archive, JSON or CSV.

    Args:
        file: the file; it must not have been read yet.
        by_content: whether JSON and CSV are also recognized by their content, not only by the
            file name.

    Raises:
        CorpusError: the file has a foreign format; the message says how to convert it.
    """
    suffix = PurePath(file.path.name.lower().removesuffix(".gz")).suffix
    found = _recognized(file, file.first_lines(), suffix, by_content=by_content)
    if found:
        what, how = found
        raise CorpusError(f"{file.name}: looks like {what}, expected source TAB target; {how}")


def _recognized(
    file: TextFile, lines: Sequence[bytes], suffix: str, *, by_content: bool
) -> tuple[str, str] | None:
    """Return the format of a foreign file and advice on converting it; None if not foreign."""
    start = lines[0] if lines else b""
    if start.startswith(ZIP) and suffix not in SPREADSHEETS:
        return "a zip archive", "unpack it first"
    if start.startswith((ZIP, OLE)):
        return "an Excel workbook", FROM_EXCEL.format(file=_quoted(file))
    if has_columns(lines):
        return None
    row = _first_object(lines)
    if suffix in JSON_NAMES or (by_content and row):
        rows = (
            "json.load(sys.stdin)" if start.lstrip()[:1] == b"[" else "map(json.loads, sys.stdin)"
        )
        cells = ", ".join([*_text_paths(row, "row"), 'row["SOURCE"]', 'row["TARGET"]'][:2])
        return "JSON", _command(file, FROM_JSON.format(cells=cells, rows=rows))
    named = suffix == ".csv"
    delimiter = _delimiter(lines, certain=not named) if named or by_content else ""
    if delimiter:
        return "CSV", _command(file, FROM_CSV.format(delimiter=delimiter))
    return None


def _first_object(lines: Sequence[bytes]) -> Mapping[str, object]:
    """Return the JSON object in the first line, or an empty one if there is none."""
    for line in lines[:1]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def _text_paths(tree: Mapping[str, object], path: str) -> Iterator[str]:
    """Yield a Python expression for each string in a JSON object, including nested objects.

    Strings with the key `id` are skipped.

    Args:
        tree: the object.
        path: the Python expression for the object.
    """
    for key, value in tree.items():
        inner = f"{path}[{json.dumps(key)}]"
        if isinstance(value, dict):
            yield from _text_paths(value, inner)
        elif isinstance(value, str) and key != "id":
            yield inner


def _delimiter(lines: Sequence[bytes], *, certain: bool) -> str:
    """Return the delimiter that splits most rows into the same number of columns, at least two.

    Return "" if there is none.

    Args:
        lines: the first lines of the file.
        certain: whether the delimiter must do so for all rows, and for at least `MIN_LINES`.
    """
    complete = lines[:-1] or lines  # the last one may be cut
    texts = [line.decode(errors="replace") for line in complete]
    shares = {delimiter: _share_divided(texts, delimiter) for delimiter in DELIMITERS}
    best = max(shares, key=lambda delimiter: shares[delimiter])
    if certain and (shares[best] < 1 or len(texts) < MIN_LINES):
        return ""
    return best if shares[best] else ""


def _share_divided(texts: Sequence[str], delimiter: str) -> float:
    """Return the share of rows that have the most frequent number of columns above 1."""
    try:
        counts = Counter(len(row) for row in csv.reader(texts, delimiter=delimiter))
    except csv.Error:
        return 0
    several = Counter({columns: count for columns, count in counts.items() if columns > 1})
    return max(several.values(), default=0) / max(1, counts.total())


def _command(file: TextFile, program: str) -> str:
    """Return advice to convert a file with a Python program, as a shell command."""
    python = f"python3 -c {shlex.quote(program)}"
    if file.path.suffix.lower() == ".gz":
        return f"convert it: gzip -dc {_quoted(file)} | {python} > NEW.tsv"
    return f"convert it: {python} < {_quoted(file)} > NEW.tsv"


def _quoted(file: TextFile) -> str:
    return "FILE" if file.path == STDIN else shlex.quote(str(file.path))
