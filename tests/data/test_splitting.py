from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from s2scli.data.splitting import Split, SplitSizes, choose_split, default_size
from s2scli.errors import CorpusError

Hashes = list[list[int]]


def split_of(batches: Hashes, valid: int, test: int) -> Split:
    def hashes() -> Iterator[NDArray[np.int64]]:
        return (np.array(batch, np.int64) for batch in batches)

    return choose_split(hashes, SplitSizes(valid=valid, test=test))


def sizes_of(split: Split, batches: Hashes) -> dict[str, int]:
    hashes = np.array([value for batch in batches for value in batch], np.int64)
    return {name: int(mask.sum()) for name, mask in split.masks(hashes).items()}


def test_the_smallest_hashes_are_test_and_the_next_ones_valid() -> None:
    batches = [[9, 1], [5, 7, 3], [], [8]]
    split = split_of(batches, valid=2, test=1)
    assert split == Split(valid_below=6, test_below=2)
    assert sizes_of(split, batches) == {"train": 3, "valid": 2, "test": 1}


def test_rows_of_one_source_stay_together() -> None:
    batches = [[1, 1, 1, 2], [2, 1, 3, 4]]
    assert sizes_of(split_of(batches, 1, 1), batches) == {"train": 2, "valid": 2, "test": 4}


def test_no_rows_wanted_is_no_split() -> None:
    assert split_of([[0, 1]], 0, 0).names == ("train",)
    assert split_of([[0, 1]], 1, 0).names == ("train", "valid")
    assert split_of([[0, 1]], 0, 1).names == ("train", "test")


@pytest.mark.parametrize(("valid", "test"), [(1, 2), (0, 3), (3, 0), (2, 2), (9, 9)])
def test_nothing_left_to_train_on_is_an_error(valid: int, test: int) -> None:
    with pytest.raises(CorpusError, match="no rows would be left for training"):
        split_of([[1, 2, 3]], valid, test)


@given(
    st.lists(st.lists(st.integers(0, 2**63 - 2), max_size=9), max_size=9),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_every_row_is_in_one_split_and_sizes_are_reached(
    batches: Hashes, valid: int, test: int
) -> None:
    distinct = {value for batch in batches for value in batch}
    if len(distinct) <= valid + test:
        return
    split = split_of(batches, valid, test)
    sizes = sizes_of(split, batches)
    assert sum(sizes.values()) == sum(map(len, batches))
    assert sizes.get("valid", 0) >= valid
    assert sizes.get("test", 0) >= test
    assert sizes["train"] >= 1


@pytest.mark.parametrize(
    ("rows", "size"),
    [(1, 0), (2, 0), (3, 1), (10, 1), (500, 50), (20_000, 2000), (5_000_000, 2000)],
)
def test_default_sizes_suit_small_and_large(rows: int, size: int) -> None:
    assert default_size(rows) == size
