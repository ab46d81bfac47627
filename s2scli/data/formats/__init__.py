"""Corpus formats: read and write pairs of cells in files.

To add a format, implement `Format` in a module here and add a line to `FORMATS`. If its lines can
be read one at a time, implement `LineFormat` and add it to `LINE_FORMATS` instead, so that it can
also be read from a stream.
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
