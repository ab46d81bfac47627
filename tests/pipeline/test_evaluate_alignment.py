"""Words and the pieces of the text that a model reads, and links through pieces."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.codecs.text import TextCodec
from s2scli.pipeline.evaluate_alignment import divide
from s2scli.report.alignment import shares_of, word_indices
from s2scli.tokenizer.learning import learn_sentencepiece
from s2scli.tokenizer.plan import TokenizerPlan
from s2scli.tokenizer.settings import Kind


def codec_of(
    texts: Sequence[str], kind: Kind = "bpe", size: int = 40, *, has_bytes: bool | None = None
) -> TextCodec:
    plan = TokenizerPlan(kind, size, kind == "bpe" if has_bytes is None else has_bytes, 1.0, False)
    return TextCodec(learn_sentencepiece(lambda: texts, plan, "nfkc"))


TEXTS = ["the dog runs through the green grass", "the dogs run through grass"] * 9
LETTERS = codec_of(["a b c d e f g h 中 国 人 学"] * 9, "char")
BYTES = codec_of(TEXTS, size=300)
UNSPACED = codec_of(["中国人学3"] * 9, "char", 300, has_bytes=True)  # a space is three bytes


@given(st.lists(st.text("abcdefghxy", min_size=1, max_size=4), min_size=1, max_size=5))
def test_with_spaces_a_piece_belongs_to_the_word_of_the_text(words: list[str]) -> None:
    for codec in (LETTERS, BYTES):
        found = divide(words, codec)
        assert found.text == " ".join(words)
        pieces = codec.labels(codec.encode(found.text), 0)
        expected = shares_of(word_indices(pieces))
        lone = [index for index, piece in enumerate(pieces) if piece == "▁"]
        expected[lone] = 0.0  # only a space
        np.testing.assert_allclose(found.shares, expected)


def test_no_space_is_between_characters_of_scripts_without_spaces() -> None:
    found = divide(["中国", "人", "a", "学", "b"], LETTERS)
    assert found.text == "中国人 a 学 b"
    owners = found.shares.argmax(axis=1)[found.shares.any(axis=1)]
    assert owners.tolist() == [0, 0, 1, 2, 3, 4]


def test_a_space_in_bytes_belongs_to_no_word() -> None:
    found = divide(["中国", "3", "x", "人"], UNSPACED)
    assert found.text == "中国 3 x 人"
    owners = found.shares.argmax(axis=1)[found.shares.any(axis=1)]
    assert owners.tolist() == [0, 0, 1, 2, 3]


def test_a_piece_of_several_words_is_shared_by_its_characters() -> None:
    codec = codec_of(["中国人", "中国人学"] * 30, size=280)
    found = divide(["中国", "人"], codec)
    whole = [row for row in found.shares.tolist() if row == pytest.approx([2 / 3, 1 / 3])]
    assert found.text == "中国人" and len(whole) == 1


@given(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=4))
def test_any_words_are_divided_or_belong_to_no_piece(words: list[str]) -> None:
    """Bytes, unknown pieces and normalisation included."""
    words = " ".join(words).split()
    if not words:
        return
    for codec in (LETTERS, BYTES, UNSPACED):
        found = divide(words, codec)
        assert len(found.shares) == len(codec.encode(found.text)) + 1
        sums = found.shares.sum(axis=1)
        assert all(total == pytest.approx(0) or total == pytest.approx(1) for total in sums)
        assert not found.shares[-1].any()
