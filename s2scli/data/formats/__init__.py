"""Corpus formats: read pairs of cells in files; the text formats write them, too.

To add a format, implement `Format` in a module here, and add a line to `FORMATS` and its name to
`FormatName` in `data.settings`. A format with named fields goes to `FIELD_FORMATS`; one whose lines
can be read one at a time implements `LineFormat` and goes to `LINE_FORMATS`, so that it can also be
read from a stream.
"""

from s2scli.data.formats.arrow import Arrow
from s2scli.data.formats.csv import Csv
from s2scli.data.formats.fields import USUAL, Fields
from s2scli.data.formats.format import Cells, FieldFormat, Format, LineFormat, TextFormat
from s2scli.data.formats.jsonl import Jsonl
from s2scli.data.formats.parallel import Parallel
from s2scli.data.formats.parquet import Parquet
from s2scli.data.formats.sentences import Sentences
from s2scli.data.formats.sgm import Sgm
from s2scli.data.formats.tmx import Tmx
from s2scli.data.formats.tsv import Tsv

LINE_FORMATS: dict[str, LineFormat] = {
    "tsv": Tsv(),
    "sentences": Sentences(),
}

TEXT_FORMATS: dict[str, TextFormat] = {
    **LINE_FORMATS,
    "parallel": Parallel(),
}

FIELD_FORMATS: dict[str, type[FieldFormat]] = {
    "jsonl": Jsonl,
    "csv": Csv,
    "parquet": Parquet,
    "arrow": Arrow,
    "tmx": Tmx,
}

FORMATS: dict[str, Format] = {
    **TEXT_FORMATS,
    **{name: kind(USUAL) for name, kind in FIELD_FORMATS.items()},
    "sgm": Sgm(),
}

ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".tmx": "tmx",
    ".sgm": "sgm",
    ".sgml": "sgm",
}
"""The format of a file by the ending of its name; files with other endings are read as text."""

__all__ = [
    "ENDINGS",
    "FIELD_FORMATS",
    "FORMATS",
    "LINE_FORMATS",
    "TEXT_FORMATS",
    "Cells",
    "Fields",
    "Format",
    "LineFormat",
    "TextFormat",
]
