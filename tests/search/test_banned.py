"""Banned words: no output contains one by itself, and everything else stays possible."""

import re

import pytest

from s2scli.data.batch import make_source
from s2scli.search.banned import BannedWords
from s2scli.search.loop import search
from s2scli.search.rules import Rules
from s2scli.search.settings import SearchSettings
from s2scli.search.spelling import Spelling, in_word
from s2scli.special_ids import EOS_ID
from tests.models import MODELS, ids, make_model
from tests.search.exhaustive import (
    SOURCE,
    SPELLING,
    VOCAB_SIZE,
    all_outputs,
    best_where,
    text_of,
    tiny_model,
    wide,
)

WORDS = [("a",), ("c", "ab"), ("ab c",), ("1",), ("bb", "a a")]


def contains(text: str, word: str) -> bool:
    """Whether a text holds a word that stands by itself, by a regular expression."""
    before = r"(?<!\w)" if in_word(word[0]) else ""
    after = r"(?!\w)" if in_word(word[-1]) else ""
    return re.search(f"{before}{re.escape(word)}{after}", text) is not None


def banned(*words: str, spelling: Spelling = SPELLING) -> BannedWords:
    return BannedWords(tuple(word.encode() for word in words), spelling)


@pytest.mark.parametrize("words", WORDS, ids=str)
def test_a_wide_beam_finds_the_best_outputs_without_them(words: tuple[str, ...]) -> None:
    model = tiny_model()
    rules = Rules((), banned(*words), SPELLING)
    (found,) = search(model, *make_source([SOURCE]), wide(), rules=rules)
    expected = best_where(
        all_outputs(model), lambda body: not any(contains(text_of(body), one) for one in words), 5
    )
    assert [one.token_ids[:-1] for one in found] == expected


@pytest.mark.parametrize(
    ("text", "touches"),
    [
        (" Zorb", True),
        ("Zorb", True),
        (" Zorblatt", False),
        ("orb", True),
        ("b", True),
        (" b", False),
        (" the Zo", True),
        ("theZo", False),
        ("b.", True),
        ("bs", False),
        (" Quux", False),
        ("", False),
    ],
)
def test_a_text_is_part_of_a_word_that_stands_by_itself(text: str, touches: bool) -> None:
    assert banned("Zorb").touch(text.encode()) is touches


@pytest.mark.parametrize("settings", [{"beam_size": 3, "n_best": 3}, {"sample": True, "n_best": 9}])
def test_no_output_of_a_batch_contains_them(settings: dict[str, object]) -> None:
    model, words = make_model(MODELS["transformer-multi_head"], VOCAB_SIZE), ("a", "c", "b1", "1")
    source = make_source([ids(4, 5, 6, 7), ids(7), ids(6, 6)])
    rules = Rules((), banned(*words), SPELLING)
    for some in search(model, *source, SearchSettings.model_validate(settings), rules=rules):
        assert some
        for one in some:
            text = text_of(one.token_ids[:-1])
            assert not any(contains(text, word) for word in words), text


UNSPACED = Spelling(tuple(text.encode() for text in ("", "⁇", "", "", "狗", "大狗", " 狗狗", "a")))


def test_in_a_script_without_spaces_a_word_counts_everywhere() -> None:
    rule = banned("狗", spelling=UNSPACED)
    assert rule.forbidden([], last=False) == {4, 5, 6}
    assert banned("大狗", spelling=UNSPACED).forbidden([7], last=False) == {5}


BYTES = Spelling((b"", b"\xe2\x81\x87", b"", b"", b" ", b"\xe9", b"\xb1", b"\xbb", b"x", b"d"))


def test_a_character_that_is_spelled_in_bytes_is_found() -> None:
    rule = banned("鱻", "xd", spelling=BYTES)
    assert rule.forbidden([4, 5, 6], last=False) == {7}
    assert rule.forbidden([4, 8], last=True) == {9}  # nothing but the end could follow
    assert EOS_ID in rule.forbidden([4, 8, 9], last=False)
    assert rule.forbidden([9, 8], last=True) == set()  # inside a longer word
    assert rule.forbidden([4, 8, 99], last=True) == {9}  # a token outside the vocabulary


def test_what_is_copied_counts_as_text() -> None:
    """A copied star ends a word before it and begins one after it; a copied letter does neither."""
    rule, star, letter = banned("a"), 8, 9
    copies = rule.copies({star: "★".encode(), letter: "é".encode()})
    assert star not in rule.forbidden([], last=False, copies=copies)
    assert {star, EOS_ID} <= rule.forbidden([4], last=False, copies=copies)
    assert letter not in rule.forbidden([4], last=False, copies=copies)
    rule = banned("b")
    assert rule.forbidden([4, star], last=True, copies=copies) == {5}
    assert rule.forbidden([4, letter], last=True, copies=copies) == frozenset()


def test_a_vocabulary_that_cannot_continue_a_word_does_not_begin_it() -> None:
    whole = Spelling((b"", b"\xe2\x81\x87", b"", b"", b" a", b" b"))
    assert banned("a", spelling=whole).forbidden([], last=False) == {4}
