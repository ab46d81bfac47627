"""Which texts are protected, and that they come back as they were."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s2scli.translation.protecting import PROTECTED, Protected, StandIn, protect

ALL = (
    'Pay 1,000.50 at 10:30 to a.b+c@mail.org or see https://x.org/a?b=1 (www.y.de), <a href="u">now'
    "</a>.<br/>B2B 5th"
)
TEXTS = [
    *("1,000.50", "10:30", "a.b+c@mail.org", "https://x.org/a?b=1", "www.y.de"),
    *('<a href="u">', "</a>", "<br/>"),
]


def yes(text: str) -> bool:
    return True


def letters(text: str) -> bool:
    return len(text) == 1


def test_numbers_addresses_and_tags_are_protected_and_parts_of_words_are_not() -> None:
    assert [match.group() for match in PROTECTED.finditer(ALL)] == TEXTS


def test_characters_without_spaces_are_no_part_of_them() -> None:
    text = "共3000元，请写a@b.org或c@d.org。１２a"
    found = protect(text, yes, letters)
    assert found is not None and found.numbers == ("3000",)
    assert [one.original for one in found.stand_ins] == ["a@b.org", "c@d.org"]
    assert found.text == "共3000元，请写X或Y。１２a"
    assert found.restore("X和Y，3000") == "a@b.org和c@d.org，3000"


def test_a_wide_mark_ends_an_address() -> None:
    found = protect("访问https://a.org/b。谢谢（www.c.org）", yes, letters)
    assert found is not None and found.text == "访问X。谢谢（Y）"
    assert [one.original for one in found.stand_ins] == ["https://a.org/b", "www.c.org"]


@pytest.mark.timeout(60)  # a pass for each character takes many minutes
def test_long_runs_without_an_address_are_read_once() -> None:
    assert not list(PROTECTED.finditer("a" * 200_000 + " " + "." * 200_000))


def test_numbers_stay_and_letters_stand_in_for_the_rest() -> None:
    found = protect("Z 5 a@b.org<b>big</b>!", yes, letters)
    assert found is not None and found.numbers == ("5",)
    assert found.text == "Z 5 X Y big Q!"
    assert found.restore("Q Y gro X 5") == "</b><b>gro a@b.org 5"
    assert found.restore("XY") == "XY"  # a word that is not the stand-in


def test_a_number_that_the_model_cannot_write_has_a_stand_in() -> None:
    found = protect("5 and 7", lambda text: text == "7", letters)
    assert found == Protected("X and 7", ("7",), (StandIn("X", "5"),))


def test_a_part_has_its_own_protected_texts() -> None:
    found = protect("5 a@b.org and 7 c@d.org", yes, letters)
    assert found is not None
    part = found.within("and 7 Y")
    assert part.numbers == ("7",) and [one.original for one in part.stand_ins] == ["c@d.org"]


def test_without_a_word_to_stand_in_nothing_is_protected() -> None:
    assert protect("a@b.org", yes, lambda word: False) is None
    assert protect("plain", yes, lambda word: False) == Protected("plain")


@given(
    st.lists(st.sampled_from([*TEXTS, "X", "word", "Q", ".", "(", "ab"]), max_size=12),
    st.sampled_from([" ", ""]),
)
@example(["1,000.50", "a.b+c@mail.org"] * 2, "")
def test_a_protected_source_is_restored_exactly(parts: list[str], between: str) -> None:
    text = between.join(parts)
    found = protect(text, yes, letters)
    if found is not None:
        assert found.restore(found.text) == text
        originals = {one.original for one in found.stand_ins}
        assert originals.isdisjoint(match.group() for match in PROTECTED.finditer(found.text))
        if between:  # glued to a number, an address is no text of its own: 1,000.50a.b@mail.org
            assert not any(original in found.text for original in originals)


def test_stand_ins_are_numbers_when_letters_are_unknown() -> None:
    found = protect("see 2 at a@b.org", yes, str.isdigit)
    assert found is not None and found.text == "see 2 at 3"
    assert found.within(found.text).numbers == ("2",)


@pytest.mark.parametrize("tail", [".", ",", ")", "?!", '"'])
def test_punctuation_after_an_address_is_not_part_of_it(tail: str) -> None:
    (match,) = PROTECTED.finditer(f"https://x.org/a{tail}")
    assert match.group() == "https://x.org/a"
