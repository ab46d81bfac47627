"""The Kullback-Leibler term against torch.distributions, and the signs of a collapse."""

import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as oracle

from s2scli.model.states import Gaussian
from s2scli.settings import load_settings
from s2scli.training.annealing import KLSettings
from s2scli.training.latent import (
    active_units,
    has_collapsed,
    join,
    kl_divergence,
    kl_objective,
)

LINEAR = {"kind": "linear", "wait_steps": 0, "grow_steps": 10}


def posterior(sentences: int = 5, units: int = 3, seed: int = 0) -> Gaussian:
    torch.manual_seed(seed)
    return Gaussian(torch.randn(sentences, units), torch.randn(sentences, units))


def settings_of(**changes: object) -> KLSettings:
    return load_settings(KLSettings, changes, "test")


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    latent = posterior()
    normal = Normal(latent.mean, (latent.log_variance / 2).exp())
    torch.testing.assert_close(kl_divergence(latent), oracle(normal, Normal(0.0, 1.0)))


def test_the_prior_itself_costs_nothing() -> None:
    assert kl_divergence(Gaussian(torch.zeros(2, 3), torch.zeros(2, 3))).abs().sum() == 0


@pytest.mark.parametrize(("step", "weight"), [(1, 0.1), (5, 0.5), (10, 1.0), (99, 1.0)])
def test_the_term_is_the_annealed_sum(step: int, weight: float) -> None:
    latent = posterior()
    term = kl_objective(latent, settings_of(annealing=LINEAR), step)
    torch.testing.assert_close(term, weight * kl_divergence(latent).sum())


def test_free_bits_are_a_floor_of_each_units_mean() -> None:
    latent = posterior()
    means = kl_divergence(latent).mean(0)
    floor = float(means.median())
    expected = 5 * sum(max(floor, float(mean)) for mean in means)
    assert float(kl_objective(latent, settings_of(free_bits=floor), 1)) == pytest.approx(expected)


def test_no_gradient_pushes_a_unit_below_its_free_bits() -> None:
    mean = torch.tensor([[0.1, 2.0], [-0.1, -2.0]], requires_grad=True)
    latent = Gaussian(mean, torch.zeros(2, 2))
    torch.autograd.backward(kl_objective(latent, settings_of(free_bits=0.5), 1))
    assert mean.grad is not None
    torch.testing.assert_close(mean.grad, torch.tensor([[0.0, 2.0], [0.0, -2.0]]))


def test_batches_are_joined_in_order() -> None:
    some, others = posterior(), posterior(7, seed=1)
    both = join([some, others])
    torch.testing.assert_close(both.mean, torch.cat([some.mean, others.mean]))
    torch.testing.assert_close(
        kl_divergence(both), torch.cat([kl_divergence(some), kl_divergence(others)])
    )


def test_active_units_are_those_whose_mean_varies() -> None:
    mean = torch.tensor([[3.0, 0.0, 1.0], [3.0, 0.19, -1.0]])  # variances 0, 0.009025, 1
    assert active_units(mean) == 1
    mean[1, 1] = 0.21  # variance 0.011025
    assert active_units(mean) == 2
    assert active_units(posterior(1).mean) == 0


@pytest.mark.parametrize(
    ("kl", "step", "collapsed"),
    [(0.05, 10, True), (0.05, 2, False), (0.5, 10, False), (0.05, 0, False)],
)
def test_a_collapse_is_little_divergence_although_it_costs(
    kl: float, step: int, collapsed: bool
) -> None:
    assert has_collapsed(kl, settings_of(annealing=LINEAR), step) is collapsed
