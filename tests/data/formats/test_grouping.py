"""Which files make a corpus together: every TSV file is one, and two parallel files are one."""

import io
from pathlib import Path

import pytest

from s2scli.data.formats.grouping import group_files
from s2scli.data.lines import TextFile
from s2scli.errors import CorpusError, S2SError, UsageError

TSV, TEXT = b"a\tb\nc\nd\te\n", b"a\nb\tx\nc\nd\n"


def files(*contents: bytes, suffix: str = "") -> list[TextFile]:
    return [TextFile(Path(f"{n}{suffix}"), io.BytesIO(data)) for n, data in enumerate(contents)]


@pytest.mark.parametrize(
    ("contents", "sizes"),
    [([TSV], [1]), ([TEXT], [1]), ([TEXT, TEXT], [2]), ([TSV] * 2, [1, 1]), ([TSV] * 5, [1] * 5)],
)
def test_files_are_grouped_in_order(contents: list[bytes], sizes: list[int]) -> None:
    given = files(*contents)
    groups = group_files(given, "corpus")
    assert [len(group) for group in groups] == sizes
    assert [file for group in groups for file in group] == given


@pytest.mark.parametrize(
    ("contents", "kind", "message"),
    [
        (
            [TSV, TEXT],
            CorpusError,
            "0 has TABs in most lines, but 1 does not; expected TSV",
        ),
        ([TEXT, TSV, TSV], CorpusError, "1 has TABs in most lines, but 0 does not"),
        (
            [TEXT] * 3,
            UsageError,
            "3 files for valid, without TABs in most lines; expected TSV files",
        ),
    ],
)
def test_files_that_do_not_go_together_are_refused(
    contents: list[bytes], kind: type[S2SError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        group_files(files(*contents), "valid")
