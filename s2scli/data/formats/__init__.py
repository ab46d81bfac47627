"""Corpus formats: how pairs of cells are written in files.

A new format is a file here that implements `Format`, and a line in `FORMATS`. One whose lines can
be read one at a time implements `LineFormat` and is listed in `LINE_FORMATS`, so that it can be
read from a stream too.
"""

from s2scli.data.formats.format import Cells, Format, LineFormat
from s2scli.data.formats.parallel import Parallel
from s2scli.data.formats.sentences import Sentences
from s2scli.data.formats.tsv import Tsv

LINE_FORMATS: dict[str, LineFormat] = {
    "tsv": Tsv(),
    "sentences": Sentences(),
}

FORMATS: dict[str, Format] = {
    **LINE_FORMATS,
    "parallel": Parallel(),
}

__all__ = ["FORMATS", "LINE_FORMATS", "Cells", "Format", "LineFormat"]
