"""The objective of a batch: what the model is given to read, its reading, and the terms of a loss.

One function for each role. What changes the lesson (which tokens the decoder reads, how often)
stands in `_lesson`; what is summed stands in `TERMS`, where another term is another line.

R-Drop (Liang et al. 2021) reads each pair twice, with different dropout, and asks both readings to
agree. Scheduled sampling (Bengio et al. 2015) lets the decoder read some of its own guesses: those
of a first reading of the right tokens, so that no decoder needs to go token by token (Mihaylova &
Martins 2019, section 3; Duckworth et al. 2019 with one pass).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from s2scli.data.batch import Batch
from s2scli.model.kernels.cross_entropy import label_smoothed_cross_entropy
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import ModelOutput
from s2scli.special_ids import PAD_ID
from s2scli.training.latent import kl_objective
from s2scli.training.loss import symmetric_divergence
from s2scli.training.precision import autocast
from s2scli.training.settings import TrainingSettings


@dataclass(frozen=True)
class Lesson:
    """What the model reads, and what it should say to it; `model.Pairs` is a part of it.

    Attributes:
        source: source ids, [B, S].
        source_lengths: real tokens of each source, [B], on the CPU.
        target_input: the ids the decoder reads, [B, T].
        target_output: the ids it should say, [B, T].
        passes: how often each pair is in it; the last B / passes rows are the last time.
    """

    source: Tensor
    source_lengths: Tensor
    target_input: Tensor
    target_output: Tensor
    passes: int = 1

    @property
    def target_mask(self) -> Tensor:
        """True at real output tokens, [B, T]."""
        return self.target_output != PAD_ID

    def twice(self) -> "Lesson":
        """Return the lesson with a copy of its pairs after them."""
        return Lesson(
            torch.cat([self.source, self.source]),
            torch.cat([self.source_lengths, self.source_lengths]),
            torch.cat([self.target_input, self.target_input]),
            torch.cat([self.target_output, self.target_output]),
            2 * self.passes,
        )


@dataclass(frozen=True)
class Reading:
    """What the model said to a lesson.

    Attributes:
        output: all of it.
        hidden: what the output layer reads at the real output tokens, [tokens, D].
        layer: the output layer.
        target: the right ones, [tokens].
        step: the update that this is for (the first is 1).
        passes: of the lesson; the last tokens / passes are those of the last time.
    """

    output: ModelOutput
    hidden: Tensor
    layer: nn.Linear
    target: Tensor
    step: int
    passes: int

    def logits(self, settings: TrainingSettings) -> Tensor:
        """Return those of the real output tokens, in float32, [tokens, V]."""
        with autocast(settings, self.hidden.device):
            logits: Tensor = self.layer(self.hidden)
        return logits.float()


Term = Callable[[Reading, TrainingSettings], Tensor]


def batch_objective(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Tensor:
    """Return the objective summed over the target tokens of a batch, in nats, a scalar.

    Pairs that are read twice count once, with the mean of both readings, so that losses can be
    compared and gradients are clipped as ever: for R-Drop it is half of Liang et al.'s eq. 4.

    Args:
        model: in training mode, or in evaluation mode to do without dropout.
        batch: on the model's device.
        settings: of the training.
        step: the update that this is for (the first is 1).
    """
    reading = read(model, _lesson(model, batch, settings, step), settings, step)
    return torch.stack([term(reading, settings) for term in TERMS]).sum() / reading.passes


def read(model: Seq2Seq, lesson: Lesson, settings: TrainingSettings, step: int) -> Reading:
    """Let the model read a lesson, up to the output layer, which sees real tokens only."""
    mask = lesson.target_mask
    with autocast(settings, lesson.source.device):
        output = model(lesson)
    hidden, target = output.hidden[mask], lesson.target_output[mask]
    return Reading(output, hidden, model.output, target, step, lesson.passes)


def _lesson(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Lesson:
    """Return what the model reads of a batch at update `step`."""
    lesson = Lesson(batch.source, batch.source_lengths, batch.target_input, batch.target_output)
    truth_share = settings.scheduled_sampling.truth_share(step)
    if truth_share < 1:
        with torch.no_grad():
            guesses = read(model, lesson, settings, step).logits(settings).argmax(-1)
        lesson = with_guesses(lesson, guesses, truth_share)
    return lesson.twice() if settings.r_drop else lesson


def with_guesses(lesson: Lesson, guesses: Tensor, truth_share: float) -> Lesson:
    """Return the lesson with some tokens of the decoder's input changed for the model's guesses.

    Each stays as it is with the probability `truth_share` (Bengio et al. 2015, section 2.4, a
    coin for each token). The first, `bos_id`, is no token to guess, and padding is no guess.

    Args:
        lesson: B pairs.
        guesses: the model's, at the real output tokens, [tokens].
        truth_share: from 0 to 1.
    """
    said = lesson.target_output.masked_scatter(lesson.target_mask, guesses)[:, :-1]  # [B, T-1]
    truth = lesson.target_input[:, 1:]  # what is said at one place is read at the next
    guessed = (torch.rand(truth.shape, device=truth.device) >= truth_share) & (said != PAD_ID)
    tokens = torch.where(guessed, said, truth)
    return replace(lesson, target_input=torch.cat([lesson.target_input[:, :1], tokens], dim=1))


def _cross_entropy(reading: Reading, settings: TrainingSettings) -> Tensor:
    """What the right tokens cost."""
    with autocast(settings, reading.hidden.device):
        return label_smoothed_cross_entropy(
            reading.hidden, reading.layer, reading.target, settings.label_smoothing
        )


def _disagreement(reading: Reading, settings: TrainingSettings) -> Tensor:
    """What two readings differ by: alpha L_KL (Liang et al. 2021, eq. 2 and 4)."""
    if reading.passes == 1:
        return reading.hidden.new_zeros(())
    first, second = reading.logits(settings).chunk(2)
    return settings.r_drop * symmetric_divergence(first, second)


def _divergence(reading: Reading, settings: TrainingSettings) -> Tensor:
    """What a latent vector says, at its price of now (Kingma & Welling 2014, eq. 10)."""
    latent = reading.output.latent
    if latent is None:
        return reading.hidden.new_zeros(())
    return kl_objective(latent, settings.kl, reading.step)


TERMS: tuple[Term, ...] = (
    _cross_entropy,
    _disagreement,
    _divergence,
)  # each summed over the batch, in nats
