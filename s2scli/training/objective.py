"""The objective of a batch: what the model is given to read, its reading, and the terms of a loss.

One function for each role. What changes the lesson (which tokens the decoder reads, how often)
stands in `_lesson`; what is summed stands in `TERMS`, where another term is another line.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2scli.data.batch import Batch
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import ModelOutput
from s2scli.special_ids import PAD_ID
from s2scli.training.loss import label_smoothed_cross_entropy
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
    """

    source: Tensor
    source_lengths: Tensor
    target_input: Tensor
    target_output: Tensor

    @property
    def target_mask(self) -> Tensor:
        """True at real output tokens, [B, T]."""
        return self.target_output != PAD_ID


@dataclass(frozen=True)
class Reading:
    """What the model said to a lesson.

    Attributes:
        output: all of it.
        logits: at the real output tokens, in float32, [tokens, V].
        target: the right ones, [tokens].
        step: the update that this is for (the first is 1).
    """

    output: ModelOutput
    logits: Tensor
    target: Tensor
    step: int


Term = Callable[[Reading, TrainingSettings], Tensor]


def batch_objective(model: Seq2Seq, batch: Batch, settings: TrainingSettings, step: int) -> Tensor:
    """Return the objective summed over the target tokens of a batch, in nats, a scalar.

    Args:
        model: in training mode, or in evaluation mode to do without dropout.
        batch: on the model's device.
        settings: of the training.
        step: the update that this is for (the first is 1).
    """
    with autocast(settings, batch.source.device):
        reading = read(model, _lesson(batch), step)
    return torch.stack([term(reading, settings) for term in TERMS]).sum()


def read(model: Seq2Seq, lesson: Lesson, step: int) -> Reading:
    """Let the model read a lesson; the output layer sees real tokens only."""
    output, mask = model(lesson), lesson.target_mask
    logits = model.logits(output.hidden[mask])  # [tokens, V]
    return Reading(output, logits.float(), lesson.target_output[mask], step)


def _lesson(batch: Batch) -> Lesson:
    """Return what the model reads of a batch: the decoder reads the target itself."""
    return Lesson(batch.source, batch.source_lengths, batch.target_input, batch.target_output)


def _cross_entropy(reading: Reading, settings: TrainingSettings) -> Tensor:
    """What the right tokens cost."""
    return label_smoothed_cross_entropy(reading.logits, reading.target, settings.label_smoothing)


TERMS: tuple[Term, ...] = (_cross_entropy,)  # each is a sum over the batch in nats, a scalar
