"""The bounds equal a plain loop over samples, targets and tokens."""

import math

import pytest
import torch

from s2scli.data.batch import make_batch
from s2scli.model.seq2seq import Seq2Seq
from s2scli.training import bounds as module
from s2scli.training.bounds import bounds
from s2scli.training.latent import kl_divergence
from tests.models import make_model, model_tree

SAMPLES = 7


@pytest.fixture
def model() -> Seq2Seq:
    latent = {"kind": "latent", "latent_dim": 3}
    model = make_model({**model_tree(attention="none"), "connection": latent}).double().eval()
    with torch.no_grad():
        model.get_parameter("connection.posterior.weight").mul_(
            5
        )  # posteriors that are not all alike
    return model


def normal(value: float, mean: float, variance: float) -> float:
    return -0.5 * (math.log(2 * math.pi * variance) + (value - mean) ** 2 / variance)


@pytest.mark.parametrize("at_once", [1, 4, 256])
def test_the_bounds_are_those_of_a_plain_loop(
    model: Seq2Seq, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", at_once)
    ids = [torch.tensor(row).numpy() for row in ([4, 5, 6], [7])]
    batch = make_batch(ids, ids)
    found = bounds(model, batch, SAMPLES, torch.Generator().manual_seed(3))
    per_chunk = max(1, at_once // 2)
    generator = torch.Generator().manual_seed(3)
    sizes = [min(per_chunk, SAMPLES - start) for start in range(0, SAMPLES, per_chunk)]
    noise = torch.cat([torch.randn(size, 2, 3, generator=generator) for size in sizes]).double()
    with torch.inference_mode():
        latent = model.posterior(batch.source, batch.source_lengths)
        for row in range(2):
            weights, likelihoods = [], []
            for sample in range(SAMPLES):
                mean, variance = latent.mean[row], latent.log_variance[row].exp()
                z = mean + variance.sqrt() * noise[sample, row]
                state, log_p = model.start_from(z[None]), 0.0
                for given, expected in zip(
                    batch.target_input[row], batch.target_output[row], strict=True
                ):
                    if expected == 0:
                        continue
                    step = model.step(given[None], state)
                    log_p += float(step.logits[0].log_softmax(-1)[expected])
                    state = step.state
                prior = sum(normal(float(one), 0.0, 1.0) for one in z)
                posterior = sum(
                    normal(*(float(part) for part in parts))
                    for parts in zip(z, mean, variance, strict=True)
                )
                likelihoods.append(log_p)
                weights.append(log_p + prior - posterior)
            weighted = math.log(sum(math.exp(one) for one in weights) / SAMPLES)
            elbo = sum(likelihoods) / SAMPLES - float(kl_divergence(latent)[row].sum())
            assert float(found.importance_weighted[row]) == pytest.approx(weighted, abs=1e-5)
            assert float(found.elbo[row]) == pytest.approx(elbo, abs=1e-5)


def test_more_samples_give_a_tighter_bound(model: Seq2Seq) -> None:
    ids = [torch.tensor([4, 5, 6]).numpy()] * 8
    batch = make_batch(ids, ids)
    one, many = (
        float(
            bounds(
                model, batch, samples, torch.Generator().manual_seed(1)
            ).importance_weighted.mean()
        )
        for samples in (1, 500)
    )
    assert many > one


def test_only_the_logits_of_one_step_are_in_memory(
    model: Seq2Seq, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [torch.tensor([4, 5, 6]).numpy()] * 2
    shapes, logits = [], model.logits

    def counted(hidden: torch.Tensor) -> torch.Tensor:
        shapes.append(hidden.shape[:-1].numel())
        return logits(hidden)

    monkeypatch.setattr(model, "logits", counted)
    bounds(model, make_batch(ids, ids), SAMPLES, torch.Generator().manual_seed(1))
    assert shapes == [SAMPLES * len(ids)] * 4, "rows of logits at each step"
