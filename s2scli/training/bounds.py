"""Lower bounds of the log-likelihood of a variational autoencoder, from samples of z."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from s2scli.data.batch import Batch
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import Gaussian
from s2scli.training.latent import kl_divergence

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Bounds:
    """The bounds of a batch's targets, in nats, end tokens included.

    Attributes:
        elbo: the evidence lower bound, [B].
        importance_weighted: the importance-weighted bound, [B].
        latent: the posterior of the batch.
    """

    elbo: Tensor
    importance_weighted: Tensor
    latent: Gaussian


@torch.inference_mode()
def bounds(model: Seq2Seq, batch: Batch, samples: int, generator: torch.Generator) -> Bounds:
    """Return lower bounds of log p(x) for each target x of a batch, from K samples of q(z|x).

    The ELBO is mean_k log p(x|z_k) - KL(q(z|x) || p(z)). The importance-weighted bound is
    log(1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)) (Burda, Grosse & Salakhutdinov 2016, eq. 8).

    Args:
        model: a model with a latent vector, in evaluation mode.
        batch: sources and targets.
        samples: the number of samples for each target, K.
        generator: draws the noise, on the CPU.
    """
    latent = model.posterior(batch.source, batch.source_lengths)
    size = len(latent.mean)
    at_once = max(1, ROWS_AT_ONCE // size)
    likelihoods, log_weights = [], []
    for start in range(0, samples, at_once):
        shape = (min(at_once, samples - start), *latent.mean.shape)
        noise = torch.randn(shape, generator=generator).to(latent.mean)  # [k, B, Z]
        z = latent.at(noise)
        likelihood = _log_likelihood(model, z, batch)  # [k, B]
        # log p(z) - log q(z|x); their constants cancel
        ratio = 0.5 * (noise.square() - z.square() + latent.log_variance).sum(-1)
        likelihoods.append(likelihood)
        log_weights.append(likelihood + ratio)
    return Bounds(
        torch.cat(likelihoods).mean(0) - kl_divergence(latent).sum(-1),
        torch.cat(log_weights).logsumexp(0) - math.log(samples),
        latent,
    )


def _log_likelihood(model: Seq2Seq, z: Tensor, batch: Batch) -> Tensor:
    """Return log p(x|z) for vectors [k, B, Z], [k, B].

    Only the logits of one step are in memory at a time.
    """
    count, size, _ = z.shape
    hidden = model.read_target(z.flatten(0, 1), batch.target_input.repeat(count, 1))
    total = z.new_zeros(count * size)
    steps = hidden.unbind(1), batch.target_output.unbind(1), batch.target_mask.unbind(1)
    for read, target, mask in zip(*steps, strict=True):
        log_probs = model.logits(read).float().log_softmax(-1)  # [k x B, V]
        chosen = log_probs.gather(-1, target.repeat(count)[:, None])[:, 0]
        total += chosen * mask.repeat(count)
    return total.view(count, size)
