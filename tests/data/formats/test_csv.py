"""CSV whose rows are too long or too short, and where the next row begins."""

from pathlib import Path

import pytest

from s2scli.data.example import Example
from s2scli.data.formats.csv import Csv
from s2scli.data.formats.fields import Fields
from s2scli.data.lines import open_text
from s2scli.data.rows import BadLine, ReadRow

LONG = "x" * 3000


def rows_of(folder: Path, text: str, fields: Fields | None = None) -> list[ReadRow]:
    (folder / "a.csv").write_text(text)
    with open_text(folder / "a.csv") as file:
        return list(Csv(fields or Fields("source", "target")).read([file], 2000))


@pytest.mark.parametrize(
    "cell",
    [
        *(f'"a\n{LONG}"', f'"{LONG}\ny"', f'"{LONG}""{LONG}"', f'"a\n{LONG}\nb"'),
        *(LONG, f'"\n\n{LONG}"'),
        *(f'5" {LONG}', f'{LONG}5"', f'"a\n{LONG}",5" x', f'"{LONG},""b"",5"', f"{'x,' * 2000}y"),
        *("," * 3000, f'{LONG},"a,\n"'),
    ],
)
def test_after_a_row_that_is_too_long_the_next_one_is_found(tmp_path: Path, cell: str) -> None:
    rows = "".join(f"s{n},t{n}\n" for n in range(5))
    first, *others = rows_of(tmp_path, f"source,target\n{cell},z\n{rows}")
    assert isinstance(first, BadLine) and first.reason == "over_long"
    assert others == [Example(f"s{n}", f"t{n}", n + 2) for n in range(5)]


def test_a_field_that_is_missing_is_named_even_if_a_row_is_short(tmp_path: Path) -> None:
    (found,) = rows_of(tmp_path, "a,b,c\nx\n", Fields("c", "zz"))
    assert isinstance(found, BadLine) and found.reason == "missing_field"
    assert "no field 'zz'; found a, b, c" in found.fault
    (short,) = rows_of(tmp_path, "a,b,c\nx\n", Fields("a", "c"))
    assert isinstance(short, BadLine) and short.reason == "columns"
