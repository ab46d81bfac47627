"""The largest sums, block by block, are those among all."""

import pytest
import torch

from s2scli.model.kernels.largest_sums import largest_sums


@pytest.mark.parametrize("vocab_size", [7, 63, 64, 640, 1000, 8191])
@pytest.mark.parametrize("beam", [1, 5])
def test_the_largest_by_blocks_are_the_largest(vocab_size: int, beam: int) -> None:
    torch.manual_seed(vocab_size)
    scores, log_probs = torch.randn(3, beam), torch.randn(3, beam, vocab_size)
    scores[0, -1] = float("-inf")
    log_probs[1, 0, :-1] = float("-inf")
    log_probs[2, -1, -1] = 9.0
    for count in (1, 2, 10):
        found, indices = largest_sums(scores, log_probs, count)
        total = (scores[..., None] + log_probs).flatten(1)
        expected = total.topk(min(count, total.shape[1]), dim=1)
        assert found.equal(expected.values)
        assert total.gather(1, indices).equal(found)
        known = found.isfinite()
        assert indices[known].equal(expected.indices[known])
