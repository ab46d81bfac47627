"""Surface noise: its laws, its rates, and that chance comes from the given numbers alone."""

from collections import Counter
from itertools import pairwise
from random import Random
from typing import get_args

import pytest

from s2scli.data.settings import NoiseKind, NoiseSettings, SurfaceNoise
from s2scli.data.surface_noise import NOISES, WORD, noisy, random_for

TEXT = "  Two young, White males\u00a0are outside  near many bushes; 12 Bäume, и собака ходит. "
MANY = " ".join(f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(400))
KINDS = tuple(NOISES)
each_kind = pytest.mark.parametrize("kind", KINDS)


def with_one(text: str, kind: str, rate: float, number: int = 1) -> str:
    return noisy(text, SurfaceNoise.model_validate({kind: rate}), random_for(1, number))


def is_one_error(before: str, after: str) -> bool:
    """Whether one letter was swapped with the next, dropped, repeated or replaced."""
    size = len(before)
    found = {before[:i] + before[i + 1 :] for i in range(size)}
    found |= {before[:i] + before[i] + before[i:] for i in range(size)}
    found |= {before[:i] + before[i + 1] + before[i] + before[i + 2 :] for i in range(size - 1)}
    replaced = len(after) == size and sum(map(str.__ne__, before, after)) == 1
    return after in found or replaced


def test_the_settings_name_every_kind() -> None:
    assert set(KINDS) == set(SurfaceNoise.model_fields) == set(get_args(NoiseKind))


def test_off_changes_nothing_and_draws_nothing() -> None:
    random = Random(5)
    before = random.getstate()
    assert noisy(TEXT, NoiseSettings(mask=0.5), random) == TEXT
    assert random.getstate() == before


@each_kind
@pytest.mark.parametrize("text", ["", "  ", TEXT, "!? ...", "狗在跑", "a"])
def test_the_same_line_gets_the_same_noise_and_never_loses_all(kind: str, text: str) -> None:
    found = [with_one(text, kind, 1.0, number) for number in range(20)]
    assert found == [with_one(text, kind, 1.0, number) for number in range(20)]
    assert all(bool(one.strip()) == bool(text.strip()) for one in found)
    assert all("\n" not in one and "\t" not in one for one in found)


@each_kind
def test_lines_and_seeds_differ(kind: str) -> None:
    assert len({with_one(MANY, kind, 0.3, number) for number in range(5)}) == 5
    noise = SurfaceNoise.model_validate({kind: 0.3})
    assert noisy(MANY, noise, random_for(1, 1)) != noisy(MANY, noise, random_for(2, 1))


@each_kind
@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_the_rate_is_the_share_of_words(kind: str, rate: float) -> None:
    words, changed = MANY.split(), 0
    for number in range(10):
        after = with_one(MANY, kind, rate, number).split()
        if kind == "drop":
            changed += len(words) - len(after)
        elif kind == "swap":
            changed += sum(map(str.__ne__, words, after)) // 2
        else:
            changed += sum(map(str.__ne__, words, after))
    expected = rate / (1 + rate) if kind == "swap" else rate  # a swap uses up two words
    assert changed / (10 * len(words)) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("kind", ["typos", "case", "unknown", "swap"])
def test_white_space_stays(kind: str) -> None:
    for number in range(20):
        after = with_one(TEXT, kind, 0.5, number)
        assert WORD.split(after) == WORD.split(TEXT)


def test_each_kind_does_what_it_says() -> None:
    words = TEXT.split()
    for number in range(40):
        swapped = with_one(TEXT, "swap", 0.5, number).split()
        assert Counter(swapped) == Counter(words)
        rest = iter(words)
        assert all(word in rest for word in with_one(TEXT, "drop", 0.5, number).split())
        cased = with_one(TEXT, "case", 1.0, number)
        assert cased.casefold() == TEXT.casefold()
        assert all(a != b for a, b in zip(words, cased.split(), strict=True) if a[0].isalpha())
        mistyped = with_one(TEXT, "typos", 1.0, number).split()
        for before, after in zip(words, mistyped, strict=True):
            assert is_one_error(before, after) if before != "12" else after == "12"
        unknown = with_one(TEXT, "unknown", 1.0, number)
        assert all(a != b for a, b in zip(TEXT, unknown, strict=True) if a.isalpha())
        assert all(a == b for a, b in zip(TEXT, unknown, strict=True) if not a.isalpha())


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("hausgroß", "a", "z"),
        ("ÄRGER", "A", "Z"),
        ("собака", "а", "\u045f"),
        ("ΣΟΦΟΣ", "\u0386", "\u03ab"),
        ("כלבים", "א", "ת"),
        ("狗在跑", "一", "鿿"),
        ("ひらがな", "ぁ", "ゖ"),
    ],
)
def test_letters_become_letters_of_their_script_and_case(text: str, first: str, last: str) -> None:
    for number in range(20):
        after = with_one(text, "unknown", 1.0, number)
        assert len(after) == len(text) and all(first <= letter <= last for letter in after), after


def test_swapping_all_swaps_pairs_and_characters_are_words_where_no_spaces_are() -> None:
    assert with_one("a b c d e", "swap", 1.0) == "b a d c e"
    assert with_one("狗在跑", "swap", 1.0) == "在狗跑"
    assert all(len(one) < len(two) for one, two in pairwise(["", with_one("狗在", "drop", 1.0)]))
