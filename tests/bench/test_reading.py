"""How fast a corpus is read, from the first rows to the last: equal rows, compressed."""

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from s2scli.data.cleaning import check_lines, tidy_rows
from s2scli.data.cleaning.rules import corpus_cleaner
from s2scli.data.corpus import stage, write_rows
from s2scli.data.example import Example
from s2scli.data.formats import FORMATS
from s2scli.data.lines import line_limit, open_text
from s2scli.data.settings import PrepareSettings
from tests.bench.showing import show

ROWS, SLICE = 3_000_000, 300_000


@pytest.mark.bench
def test_how_fast_rows_are_read(tmp_path: Path) -> None:
    path, settings, rates = tmp_path / "equal.tsv.gz", PrepareSettings(), list[float]()
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(ROWS // 10_000):
            file.write(b"the same source sentence\tthe same target sentence\n" * 10_000)

    def timed(examples: Iterator[Example]) -> Iterator[Example]:
        before = time.process_time()
        for number, example in enumerate(examples, start=1):
            yield example
            if number % SLICE == 0:
                now = time.process_time()
                rates.append(round(SLICE / (now - before)))
                before = now

    with open_text(path) as text:
        read = FORMATS["tsv"].read([text], line_limit(settings.max_length))
        rows = check_lines(read, "equal", header=False, skip_bad_lines=False, skip_flags="")
        tidied = tidy_rows(rows, settings.normalization, settings.normalization)
        kept = corpus_cleaner(settings).rows(tidied)
        staged = tmp_path / "rows.arrow"
        write_rows(timed(row for row in kept if isinstance(row, Example)), staged)
        corpus = stage([staged], tmp_path)
    show({"rows per processor second, in each tenth": rates})
    assert (corpus.rows, corpus.kept) == (ROWS, 1)
