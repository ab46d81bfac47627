"""The sums of a batch against plain loops over their formulas."""

import numpy as np
import pytest
import torch

from s2scli.training.loss import coverage_loss, score_batch, symmetric_divergence
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


def test_what_both_find_impossible_does_not_diverge() -> None:
    generator = torch.Generator().manual_seed(3)
    some, others = (torch.randn(TOKENS, VOCAB_SIZE, generator=generator) for _ in range(2))
    wide = [torch.nn.functional.pad(each, (0, 2), value=-torch.inf) for each in (some, others)]
    wide = [each.requires_grad_() for each in wide]
    found = symmetric_divergence(*wide)
    torch.testing.assert_close(found.detach(), symmetric_divergence(some, others))
    assert all(each.isfinite().all() for each in torch.autograd.grad(found, wide))


def test_smoothing_spreads_over_the_vocabulary_not_over_what_can_be_copied() -> None:
    """The columns behind the vocabulary are targets, but have no share of the smoothing."""
    logits = torch.randn(TOKENS, VOCAB_SIZE + 2)
    logits[0, VOCAB_SIZE] = -torch.inf
    logits = logits.log_softmax(-1)
    target = torch.tensor([0, 1, VOCAB_SIZE + 1, 3, VOCAB_SIZE])
    sums = score_batch(logits, target, 0.1, VOCAB_SIZE)
    expected = 0.0
    for row, right in zip(logits.tolist(), target.tolist(), strict=True):
        expected -= 0.9 * row[right] + 0.1 * sum(row[:VOCAB_SIZE]) / VOCAB_SIZE
    assert float(sums.objective) == pytest.approx(expected, rel=1e-5)


def test_the_coverage_loss_is_its_formula() -> None:
    """See et al. 2017, eq. 10 and 12, index by index."""
    weights = torch.rand(2, 3, 4).softmax(-1)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    expected = 0.0
    for row in range(2):
        covered = [0.0] * 4
        for step in range(3 - row):
            attention = weights[row, step].tolist()
            expected += sum(map(min, attention, covered))
            covered = [c + a for c, a in zip(covered, attention, strict=True)]
    assert float(coverage_loss(weights, mask)) == pytest.approx(expected, rel=1e-5)
