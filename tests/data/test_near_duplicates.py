import random
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.near_duplicates import NearDuplicateFinder, signatures, similarity

TEXT = "the a dog cat man woman runs sleeps sees house river field blue old new in on"
WORDS = TEXT.split()


def sentence(random_words: random.Random) -> str:
    return " ".join(random_words.choices(WORDS, k=random_words.randint(6, 12)))


def jaccard(one: tuple[str, str], other: tuple[str, str]) -> float:
    grams = []
    for pair in (one, other):
        text = " ".join(" ".join(pair).lower().split()).ljust(5)
        grams.append({text[i : i + 5] for i in range(len(text) - 4)})
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


def test_equal_minima_estimate_the_share_of_common_grams() -> None:
    words = random.Random(1)
    ones = [(sentence(words), sentence(words)) for _ in range(200)]
    others = [(one[0], sentence(words)) for one in ones]
    errors = similarity(
        signatures(*map(list, zip(*ones, strict=True))),
        signatures(*map(list, zip(*others, strict=True))),
    ) - np.array([jaccard(*both) for both in zip(ones, others, strict=True)])
    assert abs(errors.mean()) < 0.01
    assert errors.std() < 1.2 * 0.5 / np.sqrt(64)  # that of 64 draws is at most 1 / 16


@pytest.mark.parametrize("block", [1, 30, 100_000])
def test_a_signature_depends_on_its_row_alone(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    rows = [("a long sentence about dogs", "ein Satz"), ("", ""), ("x", "y"), ("ü字", "z" * 99)]
    alone = np.concatenate([signatures([source], [target]) for source, target in rows])
    monkeypatch.setattr("s2scli.data.near_duplicates.BLOCK_CHARACTERS", block)
    together = signatures([row[0] for row in rows], [row[1] for row in rows])
    assert (together == alone).all()
    assert signatures([], []).shape == (0, 64)


def test_case_and_white_space_make_no_difference() -> None:
    one, other = signatures(["A Dog\u00a0runs", "a dog runs"], ["Hund", "hund"])
    assert (one == other).all()


def test_rows_that_resemble_an_earlier_row_are_found(tmp_path: Path) -> None:
    words = random.Random(2)
    rows = [(sentence(words), sentence(words)) for _ in range(300)]
    copies = [(source, f"{target}!") for source, target in rows[:100]]
    every = rows + copies
    similar = [jaccard(rows[i], copies[i]) >= 0.9 for i in range(100)]
    with NearDuplicateFinder(tmp_path / "near") as finder:
        for part in (every[:150], every[150:]):
            finder.add(signatures([row[0] for row in part], [row[1] for row in part]))
        near = finder.near_copies(0.8)
    assert not near[:300].any()
    assert near[300:][similar].all() and sum(similar) > 90


def test_no_rows_have_no_copies(tmp_path: Path) -> None:
    with NearDuplicateFinder(tmp_path / "near") as finder:
        assert finder.near_copies(0.8).tolist() == []
