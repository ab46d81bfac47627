"""Self-attention that continues from a cache, which never changes."""

import pytest
import torch

from s2scli.model.transformer.self_attention import KeyValueCache, SelfAttention

DIM, HEADS = 8, 2


def test_going_on_from_a_cache_equals_one_call() -> None:
    torch.manual_seed(0)
    attention, states = SelfAttention(DIM, HEADS, 0.0), torch.randn(3, 5, DIM)
    whole, _ = attention.continue_from(attention.empty_cache(states), states, None)
    first, cache = attention.continue_from(attention.empty_cache(states), states[:, :2], None)
    rest, cache = attention.continue_from(cache, states[:, 2:], None)
    torch.testing.assert_close(torch.cat([first, rest], 1), whole)
    assert cache.keys.shape == (3, HEADS, 5, DIM // HEADS)


def test_two_ways_on_from_one_cache_do_not_disturb_each_other() -> None:
    torch.manual_seed(0)
    attention, states = SelfAttention(DIM, HEADS, 0.0), torch.randn(3, 6, DIM)
    with torch.inference_mode():
        _, cache = attention.continue_from(attention.empty_cache(states), states[:, :2], None)
        _, cache = attention.continue_from(cache, states[:, 2:3], None)
        _, one = attention.continue_from(cache, states[:, 3:4], None)
        kept = one.keys.clone()
        _, other = attention.continue_from(cache, states[:, 4:5], None)
        assert one.room is cache.room and other.room is not cache.room
        assert one.keys.equal(kept) and not one.keys.equal(other.keys)
        for _ in range(20):
            _, other = attention.continue_from(other, states[:, 5:], None)
        assert other.keys.shape[2] == 24 and other.keys[:, :, :3].equal(cache.keys)


@pytest.mark.parametrize("in_room", [True, False])
def test_a_cache_keeps_sentences_and_gathers_tokens(in_room: bool) -> None:
    torch.manual_seed(0)
    keys, values = torch.randn(2, 3, HEADS, 4, 5)
    cache = KeyValueCache(keys[:, :, :2], values[:, :, :2])
    with torch.set_grad_enabled(not in_room):
        cache = cache.extend(keys[:, :, 2:], values[:, :, 2:])
    assert (cache.room is not None) == in_room
    assert cache.keys.equal(keys) and cache.values.equal(values)
    kept = cache.keep(torch.tensor([2, 0]))
    assert kept.keys.equal(keys[[2, 0]]) and kept.values.equal(values[[2, 0]])
    indices = torch.tensor([[0, 3], [1, 2], [3, 1]])
    gathered = cache.gather(indices)
    for sentence, some in enumerate(indices):
        assert gathered.keys[sentence].equal(keys[sentence][:, some])
        assert gathered.values[sentence].equal(values[sentence][:, some])
