import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.accounting import (
    DroppedRows,
    FileAccount,
    Report,
    RowTally,
    Sample,
    SplitTally,
    correlation,
    read_report,
    write_report,
)
from s2scli.data.example import Example
from s2scli.data.rows import Changed, Dropped, Notice, Row
from s2scli.data.store import batch_rows
from s2scli.errors import CheckpointError


def test_read_is_kept_and_dropped() -> None:
    tally = RowTally()
    first, last = Example("a", "b", 1), Example("c", "d", 3)
    rows: list[Row] = [Notice("one"), first, Dropped(2, "columns"), Notice("two"), last]
    assert list(tally.keep(rows)) == [first, last]
    assert tally.notices == ["one", "two"]
    tally.drop("duplicate", DroppedRows(0))
    assert dict(tally.dropped) == {"columns": 1}
    tally.drop("duplicate", DroppedRows(1))
    assert (tally.read, tally.kept, dict(tally.dropped)) == (3, 1, {"columns": 1, "duplicate": 1})


def test_a_split_is_summed_up_over_its_batches() -> None:
    tally = SplitTally()
    for part in (
        [Example("same", "same", 1), Example("e\u0301", "abc", 2)],
        [Example("ü", "u", 3)],
    ):
        for batch in batch_rows(part):
            tally.add(batch)
    summary = tally.summary(source_in_train=2)
    assert summary.rows == 3
    assert (summary.source_characters, summary.target_characters) == (2.33, 2.67)
    assert summary.length_ratio == pytest.approx(8 / 7, abs=0.01)
    assert (summary.source_equals_target, summary.not_nfc, summary.source_in_train) == (1, 1, 2)


def test_a_split_of_no_rows_has_a_summary() -> None:
    summary = SplitTally().summary(source_in_train=0)
    assert (summary.rows, summary.source_characters, summary.length_ratio) == (0, 0, 0)


def test_the_correlation_is_pearsons() -> None:
    x, y = np.array([1.0, 2.0, 4.0, 3.0]), np.array([2.0, 1.0, 5.0, 5.0])
    rows = np.stack([np.ones(4), x, y])
    assert correlation(rows @ rows.T) == pytest.approx(float(np.corrcoef(x, y)[0, 1]))


@pytest.mark.parametrize("rows", [[], [(1, 2, 3)], [(1, 2, 3), (1, 2, 4)]])
def test_no_correlation_is_known_of_too_few_or_equal_lengths(rows: list[tuple[int, ...]]) -> None:
    values = np.array(rows, dtype=float).reshape(-1, 3).T
    assert correlation(values @ values.T) is None


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    splits = {name: SplitTally().summary(source_in_train=0) for name in ("train", "valid")}
    account = FileAccount("corpus", ("ü.tsv",), ("0" * 64,), 3, 1, {"columns": 2})
    report = Report((account,), splits, ("a notice",))
    write_report(tmp_path, report)
    assert read_report(tmp_path) == report
    assert list(read_report(tmp_path).splits) == ["train", "valid"]


def test_the_files_of_a_role_are_added_up(tmp_path: Path) -> None:
    files = [
        FileAccount("corpus", ("a",), ("1",), 3, 1, {"columns": 2}),
        FileAccount("test", ("b",), ("2",), 9, 9, {}),
        FileAccount("corpus", ("c", "d"), ("3", "4"), 8, 3, {"duplicate": 4, "columns": 1}),
    ]
    assert Report(tuple(files), {}, ()).by_role() == [
        FileAccount(
            *("corpus", ("a", "c", "d"), ("1", "3", "4"), 11, 4, {"columns": 3, "duplicate": 4})
        ),
        files[1],
    ]


@pytest.mark.parametrize("text", ["{", "[]", "{}", json.dumps({"files": [{}], "splits": {}})])
def test_a_damaged_report_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"report.json: .*damaged"):
        read_report(tmp_path)


def test_rows_that_were_dropped_or_changed_are_counted_with_the_first_of_them() -> None:
    tally = RowTally()
    rows: list[Row] = [Dropped(n, "same_text", "a" * 300, "b") for n in range(1, 6)]
    rows += [Changed(9, "encoding", ("before", "b"), ("after", "b")), Example("after", "b", 9)]
    rows += [Dropped(10, "columns")]
    assert list(tally.keep(rows)) == [Example("after", "b", 9)]
    assert (tally.read, tally.kept, dict(tally.changed)) == (7, 1, {"encoding": 1})
    assert [one.line for one in tally.samples["same_text"]] == [1, 2, 3]
    assert tally.samples["same_text"][0].source == "a" * 199 + "…"
    assert tally.samples["encoding"] == [Sample(9, "after", "b", "before", "b")]
    assert "columns" not in tally.samples
    later = DroppedRows(1, (Sample(107, "x", "y"),)).on_lines_after(100)
    tally.drop("duplicate", later)
    assert tally.samples["duplicate"] == [Sample(7, "x", "y")]


def test_accounts_of_a_role_keep_the_first_samples_of_all() -> None:
    one, other = (
        FileAccount(
            *("corpus", (name,), (name,), 4, 2, {"same_text": 2}),
            changed={"encoding": 1},
            samples={"same_text": (Sample(1, name, name), Sample(2, name, name))},
        )
        for name in ("a", "b")
    )
    both = one.plus(other)
    assert (both.changed, both.dropped) == ({"encoding": 2}, {"same_text": 4})
    assert [sample.source for sample in both.samples["same_text"]] == ["a", "a", "b"]
    assert one.tree()["samples"]["same_text"][0] == {"line": 1, "source": "a", "target": "a"}
    plain = FileAccount("corpus", ("a",), ("a",), 1, 1, {}).tree()
    assert "samples" not in plain and "changed" not in plain


def test_tallies_of_consecutive_rows_are_added_up() -> None:
    def rows(first: int, end: int) -> Iterator[Row]:
        """Yield the rows of some lines, which are numbered from 0."""
        for line in range(end - first):
            number = first + line
            yield (
                Example("a", "b", line) if number % 2 else Dropped(line, "columns", f"row {number}")
            )
            yield Changed(line, "redacted", ("", ""), ("a", f"{number}"))
        yield Notice(f"{end}")

    whole, together = RowTally(), RowTally()
    list(whole.keep(row for row in rows(0, 9) if not isinstance(row, Notice)))
    for first, end in ((0, 1), (1, 4), (4, 9)):
        tally = RowTally()
        list(tally.keep(rows(first, end)))
        together.add(tally, first)
    assert together == replace(whole, notices=["1", "4", "9"])
