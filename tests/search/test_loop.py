"""The loop of a search; its laws over every model are in tests/contracts/test_search.py."""

import numpy as np
import pytest
import torch

from s2scli.data.batch import make_source
from s2scli.search.beam import Beam
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.loop import _keys, make_chooser, search, search_from
from s2scli.search.sampling import Sampler, make_draws
from s2scli.search.settings import SearchSettings
from tests.models import MODELS, ids, make_model
from tests.search.exhaustive import SOURCE, all_outputs, tiny_model, wide

SOURCES = [ids(4, 5, 6, 7), ids(8, 9)]


class StopError(Exception):
    """Ends a search."""


def test_a_notice_before_each_step_can_end_it() -> None:
    model, calls = make_model(MODELS["gru-additive-after"]), 0

    def third_time() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise StopError

    settings = SearchSettings(min_length=8)
    with pytest.raises(StopError):
        search(model, *make_source(SOURCES), settings, before_step=third_time)
    assert calls == 3


def test_a_search_from_a_state_is_that_from_its_source() -> None:
    model, settings = make_model(MODELS["transformer-multi_head"]), SearchSettings(beam_size=3)
    source, lengths = make_source(SOURCES)
    expected = search(model, source, lengths, settings, attention=False)
    with torch.inference_mode():
        state = model.start(model.encode(source, lengths))
    longest = torch.tensor([20, 16])  # 2 x 5 + 10 and 2 x 3 + 10
    found = search_from(model, state, longest, settings, [(0,), (1,)], attention=False)
    assert found == expected


def test_sounds_and_pictures_have_keys_of_their_own_content() -> None:
    sounds = torch.tensor([[-3, 5, 0], [-3, 5, 9]], dtype=torch.int16)
    first, second = _keys(sounds, torch.tensor([2, 3]))
    assert first == _keys(sounds[1:, :2], torch.tensor([2]))[0] != second
    assert min(first) >= 0 and len(first) == len(second)
    assert _keys(*make_source(SOURCES)) == [[4, 5, 6, 7, 3], [8, 9, 3]]
    assert make_draws(1, [first, second], 2, [5, 5]).shape == (2, 2, 5)


def test_attention_is_returned_where_it_is_asked_for() -> None:
    model, source = make_model(MODELS["gru-additive-after"]), make_source(SOURCES)
    for attention in (True, False):
        for best, *_ in search(model, *source, SearchSettings(), attention=attention):
            assert (best.attention_weights is not None) == attention


def test_the_settings_choose_who_chooses() -> None:
    longest, keys = torch.tensor([4]), [(1,)]
    assert make_chooser(SearchSettings(beam_size=3), longest, keys) == Beam(3)
    drawing = make_chooser(SearchSettings(sample=True, n_best=2), longest, keys)
    assert isinstance(drawing, Sampler)
    assert drawing.draws.shape == (1, 2, 4)


@pytest.mark.parametrize("name", ["gru-additive-after", "transformer-multi_head"])
def test_reward_and_coverage_rank_as_they_say(name: str) -> None:
    model = tiny_model(name)
    outputs = all_outputs(model, penalty=0.0)
    settings = wide(length_penalty=0.6, word_reward=0.4, coverage_penalty=0.7)

    def score(one: Hypothesis) -> float:
        assert one.attention_weights is not None
        received = one.attention_weights.mean(1).sum(0)
        covered = 0.7 * float(np.log(np.minimum(received, 1.0)).sum())
        return float(one.score / len(one.token_ids) ** 0.6 + 0.4 * len(one.token_ids) + covered)

    expected = sorted(outputs, key=score, reverse=True)[:5]
    (found,) = search(model, *make_source([SOURCE]), settings, attention=False)
    assert [one.token_ids for one in found] == [one.token_ids for one in expected]
    assert all(one.attention_weights is None for one in found)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.score == pytest.approx(score(theirs), abs=1e-4)
    batch = search(model, *make_source([ids(4, 5, 6, 7, 4, 5), SOURCE]), settings)
    assert [one.token_ids for one in batch[1]] == [one.token_ids for one in found]
