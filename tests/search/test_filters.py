import itertools

import pytest
import torch
from torch import Tensor

from s2scli.search.banned import BannedWords
from s2scli.search.filters import (
    MinLength,
    NoBannedWords,
    NoRepeatedNgrams,
    RepetitionPenalty,
    end_in_time,
    forbid_special,
    make_filters,
)
from s2scli.search.live import Live
from s2scli.search.settings import SearchSettings
from s2scli.search.spelling import Spelling
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID

NEVER = float("-inf")


def written(*rows: list[int], longest: int = 99) -> Live:
    """One sentence's hypotheses, with these tokens."""
    tokens = torch.tensor([rows], dtype=torch.long)
    beam, length = tokens.shape[1:]
    zeros = torch.zeros(1, beam, length)
    return Live(
        torch.zeros(1, beam), tokens, zeros, zeros.long(), torch.tensor([longest]), torch.zeros(1)
    )


def possible(log_probs: Tensor, row: int = 0) -> set[int]:
    """The tokens that may come after one hypothesis."""
    return set(log_probs[0, row].isfinite().nonzero().flatten().tolist())


def test_padding_and_begin_are_never_written() -> None:
    filtered = forbid_special(torch.zeros(1, 2, 6), written([4], [5]))
    assert filtered[..., [PAD_ID, BOS_ID]].eq(NEVER).all()
    assert filtered[..., [UNK_ID, EOS_ID, 4, 5]].eq(0).all()


def test_a_sentence_that_must_end_can_only_end() -> None:
    assert possible(end_in_time(torch.zeros(1, 1, 6), written([4, 5], longest=3))) == {EOS_ID}
    assert len(possible(end_in_time(torch.zeros(1, 1, 6), written([4, 5], longest=4)))) == 6


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_comes_twice(size: int) -> None:
    torch.manual_seed(0)
    rows = torch.randint(4, 7, (50, 9)).tolist()
    found = NoRepeatedNgrams(size)(torch.zeros(1, 50, 7), written(*rows))
    for number, row in enumerate(rows):
        before = [tuple(row[at : at + size]) for at in range(len(row) - size + 1)]
        for token in range(7):
            again = (*row[len(row) - size + 1 :], token) in before
            assert (token in possible(found, number)) != again


def test_the_end_may_follow_what_it_followed_before() -> None:
    ended = written([4, EOS_ID, 4])  # a sample that has ended, beside others that have not
    assert EOS_ID in possible(NoRepeatedNgrams(2)(torch.zeros(1, 1, 7), ended))


def test_an_output_shorter_than_an_ngram_is_free() -> None:
    found = NoRepeatedNgrams(3)(torch.zeros(1, 1, 7), written([4, 4]))
    assert len(possible(found)) == 7


def test_an_output_does_not_end_before_its_time() -> None:
    rule = MinLength(4)
    for length in range(5):
        may_end = EOS_ID in possible(rule(torch.zeros(1, 1, 7), written([4] * length)))
        assert may_end == (length + 1 >= 4)


def test_an_output_that_can_only_end_may_end_before_its_time() -> None:
    log_probs = torch.full((1, 2, 7), NEVER)
    log_probs[..., EOS_ID] = -2.0
    log_probs[0, 1, 5] = -1.0
    found = MinLength(4)(log_probs, written([4], [4]))
    assert possible(found, 0) == {EOS_ID} and found[0, 0, EOS_ID] == -2.0
    assert possible(found, 1) == {5}


def test_rules_together_always_leave_something() -> None:
    settings = SearchSettings(no_repeat_ngram=1, min_length=30)
    for rows in itertools.product([4, 5], [4, 5]):
        log_probs = torch.zeros(1, 1, 6)
        log_probs[..., UNK_ID] = NEVER
        for rule in make_filters(settings):
            log_probs = rule(log_probs, written(list(rows)))
        words = {4, 5} - set(rows)
        assert possible(log_probs) == (words or {EOS_ID})


def test_a_repetition_penalty_multiplies_what_was_written() -> None:
    torch.manual_seed(0)
    log_probs = torch.randn(1, 2, 7).log_softmax(-1)
    found = RepetitionPenalty(1.5)(log_probs.clone(), written([4, 4, 5], [6, 4, 6]))
    for row, tokens in enumerate(({4, 5}, {4, 6})):
        for token in range(7):
            factor = 1.5 if token in tokens else 1.0
            assert found[0, row, token] == pytest.approx(float(log_probs[0, row, token]) * factor)


def test_banned_words_are_forbidden_in_each_hypothesis() -> None:
    spelling = Spelling((b"", b"?", b"", b"", b" a", b"b", b" c"))
    rule = NoBannedWords(BannedWords((b"ab", b"c"), spelling))
    found = rule(torch.zeros(1, 2, 7), written([5, 4, 5], [6, 4, 6]))
    assert possible(found, 0) == {PAD_ID, BOS_ID, 5}  # only "abb" may follow "ab"
    assert possible(found, 1) == {PAD_ID, BOS_ID, 5}
