"""The sums of a batch against plain loops over their formulas."""

import numpy as np
import pytest
import torch

from s2scli.training.loss import score_batch, symmetric_divergence
from tests.oracles import smoothed_cross_entropy

TOKENS, VOCAB_SIZE = 5, 7


def test_the_sums_of_a_batch() -> None:
    logits = torch.randn(TOKENS, VOCAB_SIZE, generator=torch.Generator().manual_seed(2)) * 3
    target = logits.argmax(-1)
    target[1] = (target[1] + 1) % VOCAB_SIZE
    sums = score_batch(logits, target, 0.1)
    exact, ids = logits.double().numpy(), target.tolist()
    assert float(sums.objective) == pytest.approx(smoothed_cross_entropy(exact, ids, 0.1), 1e-5)
    assert float(sums.cross_entropy) == pytest.approx(smoothed_cross_entropy(exact, ids, 0.0), 1e-5)
    assert (int(sums.correct), sums.tokens) == (TOKENS - 1, TOKENS)


def test_the_divergence_is_the_mean_of_both_directions() -> None:
    generator = torch.Generator().manual_seed(3)
    some, others = (torch.randn(TOKENS, VOCAB_SIZE, generator=generator) * 3 for _ in range(2))
    expected = 0.0
    for p, q in zip(
        some.double().softmax(-1).numpy(), others.double().softmax(-1).numpy(), strict=True
    ):
        expected += (np.sum(p * np.log(p / q)) + np.sum(q * np.log(q / p))) / 2
    assert float(symmetric_divergence(some, others)) == pytest.approx(expected, rel=1e-5)
    assert float(symmetric_divergence(some, some)) == 0.0
