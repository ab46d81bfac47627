import numpy as np
import torch

from s2scli.search.beam import alive, ended, expand
from s2scli.special_ids import EOS_ID


def test_expands_to_the_best_sums() -> None:
    torch.manual_seed(0)
    scores, log_probs = torch.randn(2, 3), torch.randn(2, 3, 7)
    candidates = expand(scores, log_probs, 4)
    for sentence in range(2):
        total = (scores[sentence, :, None] + log_probs[sentence]).numpy()
        order = np.argsort(-total, axis=None)[:8]
        parents, tokens = np.unravel_index(order, total.shape)
        assert candidates.parent[sentence].tolist() == parents.tolist()
        assert candidates.token[sentence].tolist() == tokens.tolist()
        np.testing.assert_allclose(candidates.score[sentence], total.flatten()[order])


def test_parts_those_that_end_from_those_that_live() -> None:
    log_probs = torch.full((1, 1, 6), -10.0)
    log_probs[0, 0, [5, EOS_ID, 4]] = torch.tensor([-1.0, -2.0, -3.0])
    candidates = expand(torch.zeros(1, 1), log_probs, 2)
    assert ended(candidates, 2).score.tolist() == [[float("-inf"), -2.0]]
    assert alive(candidates, 2).token.tolist() == [[5, 4]]
    assert ended(candidates, 1).score.isfinite().sum() == 0  # ranked second, out of a beam of one


def test_ties_fall_to_the_first() -> None:
    candidates = expand(torch.zeros(1, 1), torch.zeros(1, 1, 9), 4)
    kept = alive(candidates, 4)
    order = [token for token in candidates.token[0].tolist() if token != EOS_ID]
    assert kept.token[0].tolist() == order[:4]
