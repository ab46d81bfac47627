"""What was odd is counted, and the first lines are named."""

import pytest

from s2scli.data.stream import Line
from s2scli.translation.tally import Oddities, Tally, Unknown
from tests.translation.stub import stub_translator


def test_a_tally_counts_what_was_odd() -> None:
    lines = [
        Line("f", 1, "a‽"),
        Line("f", 2, "boom"),
        Line("g", 1, "\ufffd", bad_byte=1),
        Line("g", 2, "b " * 9),
        Line("g", 3, ""),
        Line("g", 4, "cut short", cut=True),
    ]
    tally = Tally()
    for record in stub_translator().translate(lines):
        tally.add(record)
    assert tally == Tally(
        lines=6,
        empty=1,
        source=Unknown(2 + 2 + 11, 1),  # the long line was translated in two parts
        overlong=Oddities(1, {"g": [2]}),
        failed=Oddities(2, {"f": [2], "g": [4]}),
        not_utf8=Oddities(1, {"g": [1]}),
    )


@pytest.mark.parametrize("cut", [0, 1, 4, 12, 25])
def test_tallies_of_consecutive_lines_are_added_up(cut: int) -> None:
    lines = [Line("fg"[n > 7], n, f"boom {n}" if n % 2 else "b " * 9) for n in range(25)]
    records = list(stub_translator().translate(lines))
    whole, together, rest = Tally(), Tally(), Tally()
    for number, record in enumerate(records):
        whole.add(record)
        (together if number < cut else rest).add(record)
    together.add_all(rest)
    assert together == whole
