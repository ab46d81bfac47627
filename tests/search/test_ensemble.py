"""An ensemble is a model: what holds of one model holds of several that write together."""

import itertools
import math
from collections.abc import Sequence

import pytest
import torch

from s2scli.data.batch import make_batch, make_source
from s2scli.model.seq2seq import Seq2Seq
from s2scli.search.ensemble import Ensemble, mean_log_probs
from s2scli.search.forced import force
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.loop import search
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID
from tests.models import ids, make_model, model_tree, small_batch

SOURCES = [ids(4, 5, 6, 7), ids(8, 9), ids(10, 4, 4, 9, 9, 5), ids(5)]
SETTINGS = SearchSettings(beam_size=4, n_best=3)
TREES = (
    model_tree("gru", "lstm", "additive"),
    model_tree("lstm", "gru", "dot"),
    {**model_tree("elman", "elman", "none"), "connection": {"kind": "mean"}},
)


def three_models(vocab_size: int = 11) -> list[Seq2Seq]:
    """Models of different parts and weights."""
    return [make_model(tree, vocab_size, seed) for seed, tree in enumerate(TREES)]


def search_all(models: Sequence[Seq2Seq]) -> list[tuple[Hypothesis, ...]]:
    return search(Ensemble(models), *make_source(SOURCES), SETTINGS)


def assert_same(left: Sequence[Hypothesis], right: Sequence[Hypothesis], within: float) -> None:
    assert [one.token_ids for one in left] == [one.token_ids for one in right]
    for one, other in zip(left, right, strict=True):
        assert one.score == pytest.approx(other.score, abs=within)
        assert one.token_scores == pytest.approx(other.token_scores, abs=within)


def test_the_probability_of_a_token_is_the_mean_of_the_models() -> None:
    batch, models = small_batch(), three_models()
    mixed = Ensemble(models)(batch).hidden.exp()
    mean = sum(model.logits(model(batch).hidden).softmax(-1) for model in models) / len(models)
    torch.testing.assert_close(mixed, mean)
    torch.testing.assert_close(mixed.sum(-1), torch.ones(mixed.shape[:2]))


def test_a_certain_token_outvotes_an_impossible_one() -> None:
    sure, against = torch.tensor([[200.0, 0.0]]), torch.tensor([[0.0, 200.0]])
    expected = torch.full((1, 2), math.log(0.5))
    torch.testing.assert_close(mean_log_probs([sure, against]), expected)


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize("times", [1, 3])
def test_a_model_with_itself_is_the_model(tree: dict[str, object], times: int) -> None:
    model = make_model(tree)
    alone = search(model, *make_source(SOURCES), SETTINGS)
    for together, one in zip(search_all([model] * times), alone, strict=True):
        assert_same(together, one, 1e-5)
    forced = force(Ensemble([model] * times), small_batch(), 1.0)
    plain = force(model, small_batch(), 1.0)
    assert_same(forced, plain, 1e-5)
    assert [one.first_choices for one in forced] == [one.first_choices for one in plain]


def test_the_order_of_the_models_changes_no_score() -> None:
    expected = search_all(three_models())
    for models in itertools.permutations(three_models()):
        for found, one in zip(search_all(models), expected, strict=True):
            assert_same(found, one, 1e-6)


def test_several_models_are_not_one_of_them() -> None:
    models = three_models()
    alone = [search(model, *make_source(SOURCES), SETTINGS) for model in models]
    scores = [[one.score for one, *_ in found] for found in (search_all(models), *alone)]
    assert all(scores[0] != pytest.approx(other, abs=1e-3) for other in scores[1:])


def test_step_by_step_is_all_at_once() -> None:
    for source in SOURCES:
        ensemble = Ensemble(three_models())
        for found in search(ensemble, *make_source([source]), SETTINGS)[0]:
            forced = force(ensemble, make_batch([source], [ids(*found.token_ids[:-1])]), 1.0)
            assert_same([found], forced, 1e-5)


def test_a_batch_equals_its_sentences() -> None:
    together = search_all(three_models())
    for row, source in enumerate(SOURCES):
        alone = search(Ensemble(three_models()), *make_source([source]), SETTINGS)[0]
        assert_same(together[row], alone, 1e-5)


def test_a_wide_beam_is_exhaustive() -> None:
    vocab_size, longest = 7, 4
    ensemble = Ensemble(three_models(vocab_size))
    words = [token for token in range(vocab_size) if token not in (PAD_ID, BOS_ID, EOS_ID)]
    bodies = [body for size in range(longest) for body in itertools.product(words, repeat=size)]
    batch = make_batch([ids(4, 5)] * len(bodies), [ids(*body) for body in bodies])
    best = sorted(force(ensemble, batch, 1.0), key=lambda one: -one.score)[:5]
    settings = SearchSettings(beam_size=len(bodies), n_best=5, max_length=longest)
    assert_same(search(ensemble, *make_source([ids(4, 5)]), settings)[0], best, 1e-5)


def test_the_attention_is_the_first_models() -> None:
    models = three_models()
    batch = small_batch()
    for order in ((0, 1, 2), (1, 2, 0)):
        ensemble = Ensemble([models[number] for number in order])
        assert ensemble.attention_shape == models[order[0]].attention_shape == (1, 1)
        forced = force(ensemble, batch, 1.0)
        for mine, theirs in zip(forced, force(models[order[0]], batch, 1.0), strict=True):
            assert mine.attention_weights == pytest.approx(theirs.attention_weights, abs=1e-6)
    blind = Ensemble(models[::-1])
    assert blind.attention_shape is None
    assert force(blind, batch, 1.0)[0].attention_weights is None
    assert search_all(models[::-1])[0][0].attention_weights is None


def test_attention_is_left_out_where_nobody_asks() -> None:
    ensemble = Ensemble(three_models())
    assert ensemble(small_batch()).attention_weights is None
    state = ensemble.start(ensemble.encode(*make_source(SOURCES)))
    tokens = torch.full((len(SOURCES),), BOS_ID)
    assert ensemble.step(tokens, state).attention_weights is None
    asked = ensemble.step(tokens, state, attention=True).attention_weights
    assert asked is not None
    torch.testing.assert_close(asked.sum(-1), torch.ones(len(SOURCES), 1))
