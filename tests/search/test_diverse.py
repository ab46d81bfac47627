"""Diverse beam search: equal to a plain loop, and plain beam search if nothing is to differ."""

import pytest
import torch

from s2scli.data.batch import make_source
from s2scli.search.beam import Beam
from s2scli.search.diverse import DiverseBeam
from s2scli.search.live import IMPOSSIBLE, Live
from s2scli.search.loop import search
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import EOS_ID
from tests.models import MODELS, ids, make_model

SOURCES = [ids(4, 5, 6, 7), ids(8, 9), ids(10, 4, 4, 9, 9, 5)]


def live_of(scores: torch.Tensor) -> Live:
    count, beam = scores.shape
    some = torch.zeros(count, beam, 1)
    numbers = torch.arange(count)
    return Live(scores, some.long(), some, some.long(), torch.full((count,), 9), numbers)


def plain(scores: list[float], log_probs: list[list[float]], strength: float) -> list[set[object]]:
    """Two groups of two hypotheses of one sentence, by the definition."""
    taken = [0.0] * len(log_probs[0])
    chosen = []
    for group in (0, 1):
        ranked = sorted(
            (
                (scores[row] + log_probs[row][token] - strength * taken[token], row, token)
                for row in (2 * group, 2 * group + 1)
                for token in range(len(taken))
            ),
            reverse=True,
        )
        kept = [(row, token) for _, row, token in ranked if token != EOS_ID][:2]
        for _, token in kept:
            taken[token] += 1
        chosen += kept
    return [set(chosen[:2]), set(chosen[2:])]


@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_groups_avoid_the_tokens_of_earlier_groups(strength: float) -> None:
    torch.manual_seed(1)
    log_probs = torch.randn(6, 4, 7).log_softmax(-1)
    scores = torch.randn(6, 4)
    found = DiverseBeam(4, 2, strength).choose(log_probs, live_of(scores)).live
    for row in range(6):
        expected = plain(scores[row].tolist(), log_probs[row].tolist(), strength)
        pairs = list(zip(found.parent[row].tolist(), found.token[row].tolist(), strict=True))
        assert [set(pairs[:2]), set(pairs[2:])] == expected
        sums = [scores[row, parent] + log_probs[row, parent, token] for parent, token in pairs]
        torch.testing.assert_close(found.score[row], torch.stack(sums))


def test_one_group_is_plain_beam_search() -> None:
    log_probs, live = torch.randn(3, 4, 7).log_softmax(-1), live_of(torch.randn(3, 4))
    one, beam = DiverseBeam(4, 1, 9.0).choose(log_probs, live), Beam(4).choose(log_probs, live)
    for mine, theirs in ((one.live, beam.live), (one.ended, beam.ended)):
        real = theirs.score > IMPOSSIBLE
        assert mine.score.equal(theirs.score) and mine.token[real].equal(theirs.token[real])


@pytest.mark.parametrize("name", ["gru-additive-after", "transformer-multi_head"])
def test_outputs_are_distinct_and_the_same_whatever_the_batch(name: str) -> None:
    model = make_model(MODELS[name])
    for groups in (1, 3):
        settings = SearchSettings(beam_size=6, n_best=6, beam_groups=groups, diversity_penalty=3.0)
        together = search(model, *make_source(SOURCES), settings)
        for row, source in enumerate(SOURCES):
            (alone,) = search(model, *make_source([source]), settings)
            outputs = [one.token_ids for one in together[row]]
            assert outputs == [one.token_ids for one in alone] and len({*outputs}) == len(outputs)
            for one in together[row]:
                assert one.score == pytest.approx(
                    sum(one.token_scores) / len(one.token_ids), abs=1e-5
                )
