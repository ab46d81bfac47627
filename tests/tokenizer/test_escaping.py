import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s2scli.tokenizer.escaping import MARK, escape, unescape

AWKWARD = st.text(st.sampled_from([*"\x00\t\n\x1b▁▅<>s/ax04F_#el ␀␊", MARK]))


@given(st.text() | AWKWARD)
@example("<s></s><unk><pad><0x41>")
@example(MARK * 3)
def test_unescape_undoes_escape(text: str) -> None:
    assert unescape(escape(text)) == text


@given(st.text() | AWKWARD)
def test_nothing_reserved_is_left(text: str) -> None:
    assert not re.search(r"[\x00-\x1f▁▅]|</?s>|<unk>|<pad>|<0x[0-9A-F]{2}>", escape(text))


@pytest.mark.parametrize("text", ["a sentence.", "<b>bold</b>", "1 < 2 > 0", "<0xzz>", "猫 🐈"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


def test_a_mark_that_escape_did_not_write_is_left() -> None:
    assert unescape(f"a{MARK}q{MARK}") == f"a{MARK}q{MARK}"
