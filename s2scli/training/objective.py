"""The training objective of a batch: the decoder's input, the forward pass and the loss terms.

`batch_objective` sums the terms in `TERMS`. To add a term, add it there.

R-Drop (Liang et al. 2021) runs the model twice on each pair, with different dropout, and penalizes
the difference between the two outputs. SimCut (Gao et al. 2022) penalizes the difference from the
output for the same pair with some tokens cut out.

Scheduled sampling (Bengio et al. 2015) replaces some tokens of the decoder's input by the model's
own predictions. The predictions come from a first forward pass over the correct tokens, so that no
decoder has to run token by token (Mihaylova & Martins 2019, section 3; Duckworth et al. 2019 with
one pass).
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
from s2scli.training.loss import coverage_loss, divergence, symmetric_divergence
from s2scli.training.precision import autocast
from s2scli.training.settings import TrainingSettings


@dataclass(frozen=True)
class Reading:
    """The result of one forward pass over a batch.

    Attributes:
        model: the model.
        output: the output of the model.
        hidden: input of the output layer at the real target tokens, [tokens, D].
        target: the correct tokens, [tokens].
        step: the current update (the first is 1).
        batch: the batch.
    """

    model: Seq2Seq
    output: ModelOutput
    hidden: Tensor
    target: Tensor
    step: int
    batch: Batch

    def logits(self, settings: TrainingSettings) -> Tensor:
        """Return the logits of the real target tokens, in float32, [tokens, V]."""
        with autocast(settings, self.hidden.device):
            return self.model.logits(self.hidden).float()


Term = Callable[[Reading, TrainingSettings], Tensor]


def batch_objective(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Tensor:
    """Return the objective summed over the target tokens of a batch, in nats, a scalar.

    With R-Drop, the sum over both forward passes is halved, which gives half of eq. 4 of Liang et
    al. 2021. Losses and gradient norms are then comparable with training without R-Drop.

    Args:
        model: a model in training mode, or in evaluation mode to turn dropout off.
        batch: a batch on the model's device.
        settings: the training settings.
        step: the current update (the first is 1).
    """
    batch = _with_guesses(model, batch, settings, step)
    if settings.r_drop:
        batch = batch.twice()
    reading = read(model, batch, settings, step)
    terms = torch.stack([term(reading, settings) for term in TERMS])
    return terms.sum() / (2 if settings.r_drop else 1)


def read(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Reading:
    """Run the model on a batch up to the output layer, and keep only the real target tokens."""
    with autocast(settings, batch.source.device):
        output = model(batch, attention=settings.coverage > 0)
    hidden = batch.at_targets(output.hidden)
    return Reading(model, output, hidden, batch.target_tokens, step, batch)


def _with_guesses(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Batch:
    """Apply scheduled sampling to the decoder's input at update `step`."""
    truth_share = settings.scheduled_sampling.truth_share(step)
    if truth_share >= 1:
        return batch
    with torch.no_grad():
        guesses = read(model, batch, settings, step).logits(settings).argmax(-1)
    return with_guesses(batch, guesses, truth_share)


def with_guesses(batch: Batch, guesses: Tensor, truth_share: float) -> Batch:
    """Replace some tokens of the decoder's input by the model's predictions.

    Each token is kept independently with probability `truth_share` (Bengio et al. 2015, section
    2.4). The first token, `bos_id`, is never replaced, and padding never replaces a token.

    Args:
        batch: B pairs.
        guesses: the model's predictions of the real target tokens, [tokens].
        truth_share: the probability of keeping a token, from 0 to 1.
    """
    written = batch.target_output.masked_scatter(batch.target_mask, guesses)[:, :-1]  # [B, T-1]
    truth = batch.target_input[:, 1:]  # each output is the next input
    guessed = (torch.rand(truth.shape, device=truth.device) >= truth_share) & (written != PAD_ID)
    tokens = torch.where(guessed, written, truth)
    return replace(batch, target_input=torch.cat([batch.target_input[:, :1], tokens], dim=1))


def _cross_entropy(reading: Reading, settings: TrainingSettings) -> Tensor:
    """Return the label-smoothed cross-entropy of the correct tokens."""
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
        log_probs = model.ctc_log_probs(encoded)
    return model.ctc_weight * ctc_loss(
        log_probs, encoded.memory_mask, reading.batch.target_output, reading.batch.target_mask
    )


def _disagreement(reading: Reading, settings: TrainingSettings) -> Tensor:
    """Return the R-Drop term: alpha L_KL (Liang et al. 2021, eq. 2 and 4), or 0 without R-Drop."""
    if not settings.r_drop:
        return reading.hidden.new_zeros(())
    first, second = reading.logits(settings).chunk(2)
    return settings.r_drop * symmetric_divergence(first, second)


def _change_by_cut(reading: Reading, settings: TrainingSettings) -> Tensor:
    """Return the SimCut term: alpha L_simcut (Gao et al. 2022), or 0 without SimCut."""
    if not settings.simcut:
        return reading.hidden.new_zeros(())
    cut = with_tokens_cut(reading.model, reading.batch, settings.simcut_share)
    other = read(reading.model, cut, settings, reading.step)
    return settings.simcut * divergence(reading.logits(settings), other.logits(settings))


def with_tokens_cut(model: Seq2Seq, batch: Batch, share: float) -> Batch:
    """Replace tokens of both sides by padding, independently with probability `share`.

    The embedding of padding is zero and has no gradient, unless the output layer shares the table;
    cut tokens keep their positions, and the model attends to them. Of sound and pictures, nothing
    is cut.
    """

    def cut(tokens: Tensor) -> Tensor:
        return tokens.masked_fill(torch.rand(tokens.shape, device=tokens.device) < share, PAD_ID)

    reads_tokens = "source" in model.token_rows.values()
    batch = batch.with_source_ids(cut) if reads_tokens else batch
    return replace(batch, target_input=cut(batch.target_input))


def _coverage(reading: Reading, settings: TrainingSettings) -> Tensor:
    """Return the weighted coverage loss (See et al. 2017, eq. 12 and 13), or 0 without it."""
    weights, shape = reading.output.attention_weights, reading.model.attention_shape
    if not settings.coverage or weights is None or shape is None:
        return reading.hidden.new_zeros(())
    last = weights[:, :, -shape[1] :].mean(2)  # [B, T, S]
    return settings.coverage * coverage_loss(last, reading.batch.target_mask)


def _divergence(reading: Reading, settings: TrainingSettings) -> Tensor:
    """Return the weighted KL term of a latent connection (Kingma & Welling 2014, eq. 10), or 0."""
    latent = reading.output.latent
    if latent is None:
        return reading.hidden.new_zeros(())
    return kl_objective(latent, settings.kl, reading.step)


TERMS: tuple[Term, ...] = (
    _cross_entropy,
    _ctc,
    _disagreement,
    _change_by_cut,
    _coverage,
    _divergence,
)  # each summed over the batch, in nats
