"""The place of a contrast: where the other word is most probable, at the first other token."""

import numpy as np
import pytest

from s2scli.data.codecs.text import TextCodec
from s2scli.errors import UsageError
from s2scli.pipeline.inspect_saliency import _contrast, _difference, pairing
from s2scli.search.saliency import Question
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.sentencepiece import SentencePiece
from tests.cli.inspecting import LETTERS
from tests.models import MODELS, make_model


@pytest.mark.parametrize(
    ("word", "start", "found"),
    [
        ([7], 0, (0, 7)),
        ([5, 7], 0, (1, 7)),
        ([5, 6], 0, None),
        ([6, 9, 8], 1, (2, 9)),
        ([3, 5], 2, None),
    ],
)
def test_tokens_are_compared_where_they_first_differ(
    word: list[int], start: int, found: tuple[int, int] | None
) -> None:
    assert _difference([5, 6, 3], word, start) == found


def text_codec() -> TextCodec:
    assert isinstance(LETTERS.target, SentencePiece)
    return TextCodec(LETTERS.target)


def test_the_place_is_where_the_word_is_most_probable() -> None:
    codec = text_codec()
    target = (*codec.encode("Ein Hund rennt").tolist(), EOS_ID)
    model = make_model(MODELS["gru-additive-after"], vocab_size=codec.tokenizer.vocab_size)
    question = Question(model, pairing(codec), (4, 5, EOS_ID), target)
    word = codec.encode("dog").tolist()
    best, (label,) = _contrast(question, word, codec.pieces)
    pieces = codec.pieces(target)
    places = [
        _difference(target, word, at) for at, one in enumerate(pieces) if at == 0 or one == "▁"
    ]
    gaps = [
        Question(model, question.pair, question.source, target, *place).of_variants(
            [question.source]
        )[0, 0]
        for place in places
        if place
    ]
    assert best.of_variants([question.source])[0, 0] == pytest.approx(np.min(gaps))
    assert label.startswith(pieces[best.at or 0])


def test_a_word_without_tokens_is_refused() -> None:
    codec = text_codec()
    model = make_model(MODELS["gru-additive-after"])
    with pytest.raises(UsageError, match="--instead"):
        _contrast(Question(model, pairing(codec), (4, 3), (5, 3)), [], codec.pieces)
