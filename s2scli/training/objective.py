"""The objective of a batch: what the model is given to read, its reading, and the terms of a loss.

`batch_objective` decides which tokens the decoder reads and how often; `TERMS` lists what is
summed, where a new term is a new line.

R-Drop (Liang et al. 2021) reads each pair twice, with different dropout, and asks both readings to
agree. Scheduled sampling (Bengio et al. 2015) lets the decoder read some of its own guesses: those
of a first reading of the right tokens, so that no decoder needs to go token by token (Mihaylova &
Martins 2019, section 3; Duckworth et al. 2019 with one pass).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from s2scli.data.batch import Batch
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import ModelOutput
from s2scli.special_ids import PAD_ID
from s2scli.training.ctc import ctc_loss
from s2scli.training.latent import kl_objective
from s2scli.training.loss import symmetric_divergence
from s2scli.training.precision import autocast
from s2scli.training.settings import TrainingSettings


@dataclass(frozen=True)
class Reading:
    """What a model made of a batch.

    Attributes:
        model: the model.
        output: all it returned.
        hidden: what the output layer reads at the real output tokens, [tokens, D].
        target: the right tokens, [tokens].
        step: the update that this is for (the first is 1).
        batch: what it read.
    """

    model: Seq2Seq
    output: ModelOutput
    hidden: Tensor
    target: Tensor
    step: int
    batch: Batch

    def logits(self, settings: TrainingSettings) -> Tensor:
        """Return those of the real output tokens, in float32, [tokens, V]."""
        with autocast(settings, self.hidden.device):
            return self.model.logits(self.hidden).float()


Term = Callable[[Reading, TrainingSettings], Tensor]


def batch_objective(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Tensor:
    """Return the objective summed over the target tokens of a batch, in nats, a scalar.

    Pairs that are read twice count once, with the mean of both readings, so that losses can be
    compared and gradients are clipped as without: for R-Drop it is half of Liang et al.'s eq. 4.

    Args:
        model: in training mode, or in evaluation mode to do without dropout.
        batch: on the model's device.
        settings: of the training.
        step: the update that this is for (the first is 1).
    """
    batch = _with_guesses(model, batch, settings, step)
    if settings.r_drop:
        batch = batch.twice()
    reading = read(model, batch, settings, step)
    terms = torch.stack([term(reading, settings) for term in TERMS])
    return terms.sum() / (2 if settings.r_drop else 1)


def read(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Reading:
    """Let the model read a batch, up to the output layer, which sees real tokens only."""
    mask = batch.target_mask
    with autocast(settings, batch.source.device):
        output = model(batch)
    return Reading(model, output, output.hidden[mask], batch.target_output[mask], step, batch)


def _with_guesses(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Batch:
    """Return the batch with as many guesses to read as scheduled sampling wants at `step`."""
    truth_share = settings.scheduled_sampling.truth_share(step)
    if truth_share >= 1:
        return batch
    with torch.no_grad():
        guesses = read(model, batch, settings, step).logits(settings).argmax(-1)
    return with_guesses(batch, guesses, truth_share)


def with_guesses(batch: Batch, guesses: Tensor, truth_share: float) -> Batch:
    """Return the batch with some tokens of the decoder's input replaced by the model's guesses.

    Each stays as it is with the probability `truth_share` (Bengio et al. 2015, section 2.4, a
    coin for each token). The first, `bos_id`, is never guessed, and padding is no guess.

    Args:
        batch: B pairs.
        guesses: the model's, at the real output tokens, [tokens].
        truth_share: from 0 to 1.
    """
    written = batch.target_output.masked_scatter(batch.target_mask, guesses)[:, :-1]  # [B, T-1]
    truth = batch.target_input[:, 1:]  # a token that is written is the next one to be read
    guessed = (torch.rand(truth.shape, device=truth.device) >= truth_share) & (written != PAD_ID)
    tokens = torch.where(guessed, written, truth)
    return replace(batch, target_input=torch.cat([batch.target_input[:, :1], tokens], dim=1))


def _cross_entropy(reading: Reading, settings: TrainingSettings) -> Tensor:
    """Return what the right tokens cost."""
    model = reading.model
    with autocast(settings, reading.hidden.device):
        loss = model.token_loss(reading.hidden, reading.target, settings.label_smoothing)
    return (1 - model.ctc_weight) * loss if model.ctc_weight else loss


def _ctc(reading: Reading, settings: TrainingSettings) -> Tensor:
    """Return the CTC loss of the encoder at its weight (Watanabe et al. 2017, eq. 4)."""
    model, encoded = reading.model, reading.output.encoded
    if not model.ctc_weight:
        return reading.hidden.new_zeros(())
    with autocast(settings, reading.hidden.device):
        log_probs = model.ctc_log_probs(encoded.memory)
    return model.ctc_weight * ctc_loss(
        log_probs, encoded.memory_mask, reading.batch.target_output, reading.batch.target_mask
    )


def _disagreement(reading: Reading, settings: TrainingSettings) -> Tensor:
    """Return how two readings differ: alpha L_KL (Liang et al. 2021, eq. 2 and 4)."""
    if not settings.r_drop:
        return reading.hidden.new_zeros(())
    first, second = reading.logits(settings).chunk(2)
    return settings.r_drop * symmetric_divergence(first, second)


def _divergence(reading: Reading, settings: TrainingSettings) -> Tensor:
    """Return the cost of a latent vector at its weight of now (Kingma & Welling 2014, eq. 10)."""
    latent = reading.output.latent
    if latent is None:
        return reading.hidden.new_zeros(())
    return kl_objective(latent, settings.kl, reading.step)


TERMS: tuple[Term, ...] = (
    _cross_entropy,
    _ctc,
    _disagreement,
    _divergence,
)  # each summed over the batch, in nats
