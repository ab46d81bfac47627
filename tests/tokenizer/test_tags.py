"""A tag in front of a text has one token of its own, and changes nothing after it."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2scli.tokenizer.copying import Copier
from s2scli.tokenizer.learning import learn_sentencepiece
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.settings import Kind
from tests.tokenizer.samples import KINDS, LINES, learn, make_plan

TAGS = ("de", "fr")


def with_tags(kind: Kind, lines: list[str]) -> SentencePiece:
    plan = replace(make_plan(kind), tags=TAGS)
    return learn_sentencepiece(lambda: lines, plan, "none")


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest) -> tuple[SentencePiece, SentencePiece]:
    """Return a tokenizer with tags, and one without that learned from the same texts."""
    lines = [f"<2{TAGS[number % 2]}> {line}" for number, line in enumerate(LINES)]
    return with_tags(request.param, lines), learn(request.param)


def test_tags_are_pieces(pair: tuple[SentencePiece, SentencePiece]) -> None:
    tokenizer, plain = pair
    assert dict(tokenizer.tags) == {"de": 4, "fr": 5}
    assert not plain.tags
    assert set(tokenizer.vocabulary) == {*plain.vocabulary, "<2de>", "<2fr>"}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=12) | st.sampled_from([*LINES, "<2de> a", "a <2fr> b", "<2fr>"]))
def test_a_tag_has_one_token_and_the_text_has_its_own(
    pair: tuple[SentencePiece, SentencePiece], text: str
) -> None:
    tokenizer, plain = pair
    tag, rest = f"<2de> {text}", f"x{text}"
    assert tokenizer.pieces(rest) == plain.pieces(rest)
    assert 4 not in tokenizer.encode(rest) and 5 not in tokenizer.encode(rest)
    alone = tokenizer.encode(f"<2xx> {text}")
    assert tokenizer.encode(tag)[0] == 4 and 4 not in tokenizer.encode(tag)[1:]
    assert tokenizer.encode_many([tag, rest]) == [tokenizer.encode(tag), tokenizer.encode(rest)]
    assert tokenizer.decode([4, *tokenizer.encode(rest)]) == tokenizer.decode(
        tokenizer.encode(rest)
    )
    assert 4 not in alone
    inner = tokenizer.encode(f"<2de> {rest}")
    assert inner == [4, *tokenizer.encode(rest)]
    assert tokenizer.pieces(f"<2de> {rest}")[0] == "<2de>"
    assert len(tokenizer.surfaces(tag)) == len(tokenizer.encode(tag))
    assert tokenizer.surfaces(tag)[0] == ""
    characters, spans = tokenizer.spans(f"<2de> {rest}")
    assert (characters, spans[1:]) == tokenizer.spans(rest)
    assert spans[0] == (0, 0)
    assert tokenizer.spelled(f"<2de> {rest}") == [(4, "<2de>"), *tokenizer.spelled(rest)]


def test_a_resegmented_source_keeps_its_tag(pair: tuple[SentencePiece, SentencePiece]) -> None:
    tokenizer, _ = pair
    if tokenizer.kind in ("bpe", "unigram"):
        rows = [tokenizer.encode(f"<2fr> {line}") for line in LINES]
        import numpy as np

        found = tokenizer.resegmenter(0.3)([np.array(row, np.int32) for row in rows], 1)
        assert all(row[0] == 5 and 5 not in row[1:] for row in found)


def test_a_tag_can_be_copied_from(pair: tuple[SentencePiece, SentencePiece]) -> None:
    tokenizer, plain = pair
    copier = Copier(tokenizer, plain)
    (ids,) = copier.encode_sources(["<2de> \U0001f600 a"])
    assert ids[0] == 4
    assert copier.source_pieces("<2de> a")[0] == "<2de>"


@pytest.mark.parametrize("byte_fallback", [True, False])
def test_a_vocabulary_too_small_for_the_tags_is_raised(byte_fallback: bool) -> None:
    plan = replace(make_plan("bpe", vocab_size=5, byte_fallback=byte_fallback), tags=TAGS)
    tokenizer = learn_sentencepiece(lambda: ["ab"], plan, "none")
    assert len(tokenizer.tags) == 2
    assert tokenizer.decode(tokenizer.encode("<2de> ab")) == "ab"
