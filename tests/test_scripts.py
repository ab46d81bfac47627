import unicodedata

import pytest

from s2scli.scripts import is_unspaced, units_of

UNSPACED = ("CJK UNIFIED", "HIRAGANA LETTER", "KATAKANA LETTER", "THAI CHARACTER", "LAO LETTER")
SPACED = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "DEVANAGARI", "HANGUL SYLLABLE")


def letters(*scripts: str) -> list[str]:
    """Every letter of the basic plane whose Unicode name begins with one of these."""
    named = ((chr(code), unicodedata.name(chr(code), "")) for code in range(0x10000))
    return [character for character, name in named if name.startswith(scripts)]


def test_letters_of_these_scripts_are_unspaced_and_of_those_are_not() -> None:
    assert [c for c in letters(*UNSPACED) if not is_unspaced(c)] == []
    assert [c for c in letters(*SPACED) if is_unspaced(c)] == []


@pytest.mark.parametrize(
    ("text", "unspaced"),
    [
        ("", False),
        ("a dog", False),
        ("a 狗", True),
        ("、", True),
        ("𠀀", True),
        ("한국어 말", False),
    ],
)
def test_one_character_decides(text: str, unspaced: bool) -> None:
    assert is_unspaced(text) is unspaced


def test_units_are_words_or_characters() -> None:
    assert units_of("a big  dog") == ["a", "big", "dog"]
    assert units_of("一只 dog 小小狗") == [*"一只dog小小狗"]
    assert units_of("the 狗 runs") == ["the", "狗", "runs"]
    assert units_of("") == []
