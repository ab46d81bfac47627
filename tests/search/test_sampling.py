"""Sampling: the distributions by their definitions, and draws that no batch can change."""

from collections import Counter

import numpy as np
import pytest
import torch

from s2scli.data.batch import make_source
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.loop import search
from s2scli.search.sampling import draw, make_draws, min_p, top_k, top_p, truncate
from s2scli.search.settings import SearchSettings
from tests.models import MODELS, ids, make_model

SOURCES = [ids(4, 5, 6, 7), ids(8, 9), ids(10, 4, 4, 9, 9, 5), ids(5)]
SAMPLE = SearchSettings(sample=True, n_best=3, seed=7)


def some_probs() -> torch.Tensor:
    torch.manual_seed(0)
    return (3 * torch.randn(2, 3, 20)).softmax(-1)


def test_top_k_keeps_the_k_most_probable() -> None:
    probs = some_probs()
    for row, kept in zip(probs.view(-1, 20), top_k(probs, 4).view(-1, 20), strict=True):
        best = sorted(range(20), key=lambda token: -float(row[token]))[:4]
        assert set(kept.nonzero().flatten().tolist()) == set(best)
        assert kept[best].equal(row[best])
    assert top_k(probs, 99).equal(probs)


@pytest.mark.parametrize("mass", [0.001, 0.5, 0.9, 1.0])
def test_top_p_keeps_the_fewest_that_reach_the_mass(mass: float) -> None:
    probs = some_probs()
    for row, kept in zip(probs.view(-1, 20), top_p(probs, mass).view(-1, 20), strict=True):
        nucleus: list[int] = []
        total = 0.0
        for token in sorted(range(20), key=lambda token: -float(row[token])):
            if nucleus and total >= mass - 1e-7:
                break
            nucleus.append(token)
            total += float(row[token])
        assert set(kept.nonzero().flatten().tolist()) == set(nucleus)


def test_min_p_keeps_what_is_near_the_best() -> None:
    probs = some_probs()
    kept = min_p(probs, 0.1)
    near = probs >= 0.1 * probs.amax(-1, keepdim=True)
    assert kept.equal(torch.where(near, probs, 0.0)) and near.any() and not near.all()


def test_the_rules_come_one_after_the_other() -> None:
    log_probs = some_probs().log()
    settings = SearchSettings(temperature=0.5, top_k=6, top_p=0.8, min_p=0.2)
    powers = log_probs.exp() ** 2
    probs = top_k(powers / powers.sum(-1, keepdim=True), 6)
    torch.testing.assert_close(truncate(log_probs, settings), min_p(top_p(probs, 0.8), 0.2))
    torch.testing.assert_close(truncate(log_probs, SearchSettings()), log_probs.exp())


def test_a_token_is_drawn_as_often_as_it_is_probable() -> None:
    probs = torch.tensor([0.0, 0.1, 0.0, 0.6, 0.3, 0.0])
    numbers = ((torch.arange(1000) + 0.5) / 1000)[None]
    drawn = draw(3 * probs.expand(1, 1000, -1), numbers)
    assert Counter(drawn.flatten().tolist()) == {1: 100, 3: 600, 4: 300}


def test_nothing_impossible_is_drawn_at_either_end() -> None:
    probs = torch.tensor([[[0.0, 0.3, 0.3, 0.0]]])
    assert draw(probs, torch.tensor([[0.0]])).item() == 1
    assert draw(probs, torch.tensor([[1 - 2.0**-24]])).item() == 2
    assert draw(torch.full((1, 1, 4), float("nan")), torch.tensor([[0.5]])).item() < 4


def test_draws_depend_on_the_sentence_alone() -> None:
    draws = make_draws(7, [[4, 5], [6], [4, 5]], 3, [6, 9, 6])
    assert draws.shape == (3, 3, 9)
    assert draws[0].equal(draws[2]) and not draws[0, :, :6].equal(draws[1, :, :6])
    assert draws[:1, :2, :6].equal(make_draws(7, [[4, 5]], 2, [6]))
    assert not draws[:1, :, :6].equal(make_draws(8, [[4, 5]], 3, [6]))


def outputs(found: tuple[Hypothesis, ...]) -> list[tuple[int, ...]]:
    return [one.token_ids for one in found]


@pytest.mark.parametrize("kind", ["gru-additive-after", "lstm-before", "transformer-multi_head"])
def test_the_same_seed_draws_the_same_whatever_the_batch(kind: str) -> None:
    model = make_model(MODELS[kind])
    together = search(model, *make_source(SOURCES), SAMPLE)
    turned = search(model, *make_source(SOURCES[::-1]), SAMPLE)[::-1]
    for row, source in enumerate(SOURCES):
        alone = search(model, *make_source([source]), SAMPLE)[0]
        assert outputs(together[row]) == outputs(turned[row]) == outputs(alone)
    other = search(model, *make_source(SOURCES), SAMPLE.model_copy(update={"seed": 8}))
    assert [outputs(one) for one in other] != [outputs(one) for one in together]


def test_almost_no_temperature_is_greedy() -> None:
    model = make_model(MODELS["transformer-multi_head"])
    colds = [SearchSettings(sample=True, temperature=cold) for cold in (1e-4, 1e-6)]
    greedy = search(model, *make_source(SOURCES), SearchSettings(beam_size=1))
    for settings in (*colds, SearchSettings(sample=True, top_k=1)):
        found = search(model, *make_source(SOURCES), settings)
        assert [outputs(one) for one in found] == [outputs(one) for one in greedy]


def test_samples_follow_the_models_probabilities() -> None:
    model = make_model(MODELS["gru-additive-after"], 7)
    settings = SearchSettings(sample=True, n_best=1000, max_length=2)
    samples = search(model, *make_source([ids(4, 5)]), settings, attention=False)[0]
    assert len(samples) == 1000
    counts = Counter(sample.token_ids[0] for sample in samples)
    by_token = {sample.token_ids[0]: sample.token_scores[0] for sample in samples}
    total = sum(np.exp(score) for score in by_token.values())  # but for what is never written
    for token, score in by_token.items():
        expected = 1000 * np.exp(score) / total
        assert abs(counts[token] - expected) < 4 * np.sqrt(expected) + 1


def test_samples_that_go_on_after_others_have_ended_repeat_no_ngram() -> None:
    model = make_model(MODELS["gru-additive-after"])
    settings = SearchSettings(sample=True, n_best=20, no_repeat_ngram=2, max_length_ratio=5)
    for samples in search(model, *make_source(SOURCES), settings, attention=False):
        for sample in samples:
            ngrams = list(zip(sample.token_ids, sample.token_ids[1:], strict=False))
            assert len(set(ngrams)) == len(ngrams)
