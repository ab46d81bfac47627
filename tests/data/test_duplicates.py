import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data import duplicates
from s2scli.data.duplicates import DuplicateFinder, pair_digests, source_hashes


def first_occurrences(folder: Path, batches: list[list[tuple[str, str]]]) -> list[bool]:
    with DuplicateFinder(folder) as finder:
        for batch in batches:
            finder.add(pair_digests([pair[0] for pair in batch], [pair[1] for pair in batch]))
        return [bool(first) for first in finder.first_occurrences()]


letters = st.sampled_from("abc")


@given(st.lists(st.lists(st.tuples(letters, letters), max_size=8), max_size=5))
def test_it_finds_what_a_set_finds(batches: list[list[tuple[str, str]]]) -> None:
    seen: set[tuple[str, str]] = set()
    expected = []
    for pair in (pair for batch in batches for pair in batch):
        expected.append(pair not in seen)
        seen.add(pair)
    with tempfile.TemporaryDirectory() as folder:
        assert first_occurrences(Path(folder), batches) == expected


def test_thousands_of_rows_in_all_buckets(tmp_path: Path) -> None:
    rows = [(str(number % 3000), "x") for number in range(9000)]
    assert first_occurrences(tmp_path, [rows[:4000], rows[4000:]]) == [True] * 3000 + [False] * 6000


def test_a_bucket_is_sorted_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "PART_ROWS", 10)  # buckets have about 140 rows
    test_thousands_of_rows_in_all_buckets(tmp_path)
    assert not list(tmp_path.glob("bucket-*"))


def test_digests_tell_the_two_sides_apart() -> None:
    digests = pair_digests(["ab", "a", ""], ["", "b", "ab"])
    assert digests.shape == (3, 2)
    assert len({tuple(row) for row in digests.tolist()}) == 3


def test_a_hash_is_the_upper_63_bits_of_blake2b_whatever_the_process() -> None:
    texts = ["", "a", "ü"]
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
    expected = [int.from_bytes(digest, "little") // 2 for digest in digests]
    assert source_hashes(texts).tolist() == expected


def test_the_original_of_a_row_is_the_first_equal_one(tmp_path: Path) -> None:
    texts = ["a", "b", "a", "c", "b", "a"]
    with DuplicateFinder(tmp_path) as finder:
        finder.add(pair_digests(texts[:4], texts[:4]))
        finder.add(pair_digests(texts[4:], texts[4:]))
        assert finder.originals().tolist() == [texts.index(text) for text in texts]
