"""Text in, tokens, and the same text out, always on one line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2scli.data.cleaning import tidy
from s2scli.data.codecs.text import TextCodec, one_line
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from tests.folders import letters_of

LETTERS = "abcdefghij"
CODEC = TextCodec(letters_of([f"{LETTERS} {LETTERS}"]).source)
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # as str.splitlines has them


@settings(deadline=None, max_examples=40)
@given(words=st.lists(st.text(LETTERS, min_size=1, max_size=5), max_size=5))
def test_what_is_encoded_decodes_to_itself(words: list[str]) -> None:
    text = " ".join(words)
    token_ids = CODEC.encode(text)
    assert token_ids.dtype == np.int32
    assert not set(token_ids.tolist()) & {PAD_ID, BOS_ID, EOS_ID, UNK_ID}
    assert CODEC.decode(token_ids.tolist()) == text
    assert CODEC.decode([*token_ids.tolist(), EOS_ID]) == text
    assert "".join(CODEC.pieces(token_ids.tolist())).replace("▁", " ").strip() == text


@pytest.mark.parametrize("text", [" ab\tc ", "ab\r", "", " \t ", "a\u00a0b"])
def test_a_text_is_tidied_as_the_corpus_was(text: str) -> None:
    tidied = tidy(text, CODEC.tokenizer.normalization)
    assert CODEC.encode(text).tolist() == CODEC.tokenizer.encode(tidied)


def test_the_end_is_a_piece_and_no_text() -> None:
    token_ids = [*CODEC.encode("ab").tolist(), EOS_ID]
    assert CODEC.pieces(token_ids)[-1] == "</s>"
    assert len(CODEC.pieces(token_ids)) == len(token_ids)
    assert CODEC.decode([EOS_ID]) == CODEC.decode([]) == ""


@settings(deadline=None, max_examples=40)
@given(text=st.text(LINE_ENDS + "ab \t\x1f"))
def test_a_text_is_on_one_line_and_as_long_as_before(text: str) -> None:
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert not shown or shown.splitlines() == [shown]
    for before, after in zip(text, shown, strict=True):
        assert after == (" " if before in LINE_ENDS else before)
