"""Finished hypotheses: which are kept, and when a sentence needs no more."""

import numpy as np
import pytest
import torch

from s2scli.search.endings import Ending, Endings, Seen, collect, make_hypothesis, unfinished
from s2scli.search.live import IMPOSSIBLE, Candidates, Live
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import EOS_ID

NOTHING = torch.zeros(0)


def endings(wanted: int, *scores: float) -> Endings:
    found = Endings(wanted)
    for number, score in enumerate(scores):
        found.add(Ending(score, torch.tensor([number]), NOTHING, NOTHING))
    return found


def test_the_best_come_first_and_equals_as_they_ended() -> None:
    found = endings(3, -2.0, -1.0, -2.0, -3.0)
    assert [int(one.token_ids) for one in found.best()] == [1, 0, 2]
    assert found.reached == -2.0
    assert endings(3, -2.0, -1.0).reached == IMPOSSIBLE


def test_only_what_ends_is_collected() -> None:
    log_probs = torch.randn(2, 1, 6).log_softmax(-1)
    live = Live.begin(torch.tensor([9, 9]))
    score = torch.tensor([[-0.5, IMPOSSIBLE], [IMPOSSIBLE, IMPOSSIBLE]])
    ended = Candidates(score, torch.full((2, 2), EOS_ID), torch.zeros(2, 2, dtype=torch.long))
    found = [Endings(1), Endings(1)]
    collect(found, live, ended, log_probs, Seen(), SearchSettings(length_penalty=0.0))
    assert [len(one.found) for one in found] == [1, 0]
    (ending,) = found[0].found
    assert (ending.score, ending.token_ids.tolist()) == (-0.5, [EOS_ID])
    assert ending.token_scores == log_probs[0, 0, EOS_ID]


@pytest.mark.parametrize(
    ("ended", "goes_on"),
    [
        ((), True),
        ((-0.9,), True),  # two tokens so far at -1 each; ten of them could still rank at -0.2
        ((-0.1,), False),
        ((-0.9, -5.0), False),  # as many as the beam: now the score of now, -1, counts
        ((-1.1, -5.0), True),
    ],
)
def test_a_sentence_goes_on_while_a_live_hypothesis_may_rank(
    ended: tuple[float, ...], goes_on: bool
) -> None:
    two = torch.zeros(1, 1, 2)
    live = Live(
        torch.tensor([[-2.0]]), two.long(), two, two.long(), torch.tensor([10]), torch.zeros(1)
    )
    settings = SearchSettings(beam_size=2, length_penalty=1.0)
    kept = unfinished([endings(1, *ended)], live, settings)
    assert kept.tolist() == [0] * goes_on


def test_a_hypothesis_has_the_attention_that_its_steps_had() -> None:
    weights = [torch.rand(3, 1, 4), torch.rand(2, 1, 4)]
    ending = Ending(
        -1.0, torch.tensor([5, EOS_ID]), torch.tensor([-0.5, -0.5]), torch.tensor([2, 0])
    )
    copying = [torch.rand(3), torch.rand(2)]
    found = make_hypothesis(ending, Seen(None, [*weights], [*copying]))
    assert found.attention_weights is not None
    expected = np.stack([weights[0][2].numpy(), weights[1][0].numpy()])
    np.testing.assert_array_equal(found.attention_weights, expected)
    assert found.p_copy == (float(copying[0][2]), float(copying[1][0]))
    nothing = make_hypothesis(ending, Seen())
    assert nothing.attention_weights is None and nothing.p_copy == ()
