import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.codecs import source_codec, target_codec
from s2scli.data.codecs.text import TextCodec, one_line
from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.tokenizer.escaping import MARK
from tests.folders import letters_of

SEPARATORS = "\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
CODEC = TextCodec(letters_of(["abc def"] * 9).texts[0])


@given(st.text(alphabet="abcdef ", max_size=30))
def test_what_is_encoded_comes_back_tidied(text: str) -> None:
    assert CODEC.decode(CODEC.encode(text).tolist()) == text.strip()


def test_the_end_is_no_part_of_the_text() -> None:
    ids = CODEC.encode("abc").tolist()
    assert EOS_ID not in ids
    assert CODEC.decode([*ids, EOS_ID]) == CODEC.decode(ids) == "abc"


def test_there_is_a_piece_for_every_token() -> None:
    ids = CODEC.encode("ab c")
    assert ids.dtype == np.int32
    assert CODEC.pieces([*ids, EOS_ID]) == ("a", "b", "▁", "c", "</s>")


def test_what_the_tokenizer_does_not_know_is_unknown() -> None:
    assert UNK_ID in CODEC.encode("a犬").tolist()
    assert UNK_ID not in CODEC.encode("a").tolist()


@pytest.mark.parametrize("separator", SEPARATORS)
def test_every_line_end_becomes_a_space(separator: str) -> None:
    assert one_line(f"a{separator}b") == "a b"
    assert len(one_line(SEPARATORS.join("abc")).splitlines()) == 1


@given(st.text())
def test_no_control_character_leaves_and_other_text_stays(text: str) -> None:
    shown = one_line(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", shown) and len(shown) == len(text)
    if not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", text):
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"), [("\x1b[31m", "␛[31m"), ("a\x07\x00", "a␇␀"), ("\x7f\x9b1m", "␡\ufffd1m")]
)
def test_a_control_character_is_shown_as_a_picture(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_model_that_repeats_the_mark_writes_no_escape() -> None:
    codec = TextCodec(letters_of([f"{MARK}e [31m"] * 9).texts[0])
    mark, *_ = (id for id in range(codec.tokenizer.vocab_size) if codec.pieces([id]) == (MARK,))
    assert codec.tokenizer.decode([mark, mark]) == "\x1b", "as `escape` spells it"
    assert codec.decode([mark, mark]) == "␛"


def test_text_is_a_codec_of_both_sides() -> None:
    assert source_codec(CODEC.tokenizer) == CODEC
    assert target_codec(CODEC.tokenizer) == CODEC
