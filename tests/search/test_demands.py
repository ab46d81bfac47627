"""How far hypotheses have met their demands; `test_constrained.py` compares searches."""

import torch

from s2scli.search.demands import Demands, is_met
from s2scli.search.rules import Demand, Phrase
from s2scli.search.spelling import Spelling
from s2scli.special_ids import EOS_ID
from tests.search.exhaustive import SPELLING

A, B, C, ONE = 4, 5, 6, 7
NUMBERS = Spelling((b"", b"\xe2\x81\x87", b"", b"", b" 3", b"3", b".", b"5", b" x"))


def test_a_number_inside_a_longer_one_does_not_count() -> None:
    three = Demand(phrases=(Phrase(((4,), (5,))),))
    for tokens, met in (
        ((4,), True),
        ((8, 4, 6), True),  # " x 3."
        ((4, 6, 8), True),
        ((4, 6, 7), False),  # " 3.5"
        ((4, 7), False),  # " 35"
        ((8, 6, 5), False),  # " x.3"
    ):
        assert is_met((*tokens, EOS_ID), three, NUMBERS) is met, tokens


def test_an_exact_phrase_may_not_come_more_often() -> None:
    once = Demand(phrases=(Phrase(((C,),), exact=True),))
    assert is_met((C, EOS_ID), once, SPELLING) and not is_met((C, C, EOS_ID), once, SPELLING)
    assert not is_met((A, EOS_ID), once, SPELLING) and is_met((A,), Demand((B,)), SPELLING)


def test_needed_tokens_go_down_as_a_phrase_is_written_and_up_when_it_breaks() -> None:
    demands = Demands.of([Demand(phrases=(Phrase(((A, B, C),)), Phrase(((C,),))))], SPELLING)
    needed = []
    for tokens in ([A], [A, B], [A, B, B], [A, B, C], [A, B, C, A]):
        needed.append(int(demands.progress(torch.tensor([[tokens]])).needed))
    # the last C of the first phrase is the second phrase, too
    assert needed == [3, 2, 4, 0, 0]


def test_the_length_is_raised_for_the_demands() -> None:
    some = [Demand((4, 5), (Phrase(((A, B, C),), times=2),)), Demand()]
    demands = Demands.of(some, SPELLING)
    assert demands.lengthen(torch.tensor([4, 4])).tolist() == [9, 4]
    assert demands.take(torch.tensor([1])).total.tolist() == [0]
