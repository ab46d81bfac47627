from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.example import Example
from s2scli.data.sampling import sample_pairs, sample_rows
from s2scli.data.store import BatchWriter, TextSplit, batch_rows


@given(st.integers(0, 5000), st.integers(1, 600))
def test_as_many_rows_as_asked_for_in_order(rows: int, size: int) -> None:
    chosen = sample_rows(rows, size)
    assert len(chosen) == min(rows, size)
    assert (np.diff(chosen) > 0).all()
    assert chosen.size == 0 or 0 <= chosen[0] <= chosen[-1] < rows


@given(st.integers(2, 12))
def test_rows_in_a_regular_order_are_sampled_evenly(period: int) -> None:
    counts = np.bincount(sample_rows(600_000, 6000) % period, minlength=period)
    assert (abs(counts * period / 6000 - 1) < 0.05).all()


def test_pairs_are_those_of_the_rows(tmp_path: Path) -> None:
    examples = [Example(f"s{row}", f"t{row}", row) for row in range(100)]
    with BatchWriter(tmp_path / "train.arrow") as writer:
        for start in range(0, 100, 7):  # several record batches
            for batch in batch_rows(examples[start : start + 7]):
                writer.write(batch)
                writer._flush()
    split = TextSplit(tmp_path / "train.arrow")
    pairs = list(sample_pairs(split, 30))
    assert pairs == [(f"s{row}", f"t{row}") for row in sample_rows(100, 30)]
    assert len(list(sample_pairs(split, 1000))) == 100
