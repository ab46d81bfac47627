"""Several models that write one output together, with the interface of one model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import DecoderState, DecoderStep, EncoderOutput, ModelOutput, Pairs


@dataclass(frozen=True)
class EnsembleState:
    """What each of M decoders remembers, in the order of the models."""

    states: tuple[DecoderState, ...]

    def reorder(self, indices: Tensor) -> "EnsembleState":
        """Return the states whose row i is row `indices[i]` of these, [N']."""
        return EnsembleState(tuple(state.reorder(indices) for state in self.states))

    def keep(self, sentences: Tensor) -> "EnsembleState":
        """Return the states of the sentences of these numbers only, [B']."""
        return EnsembleState(tuple(state.keep(sentences) for state in self.states))


class Ensemble:
    """M models that read the same tokens and vote on every token they write.

    The probability of a token is the mean of the models' probabilities (Sutskever et al. 2014,
    section 3.6, as fairseq and Sockeye compute it), so that its logits are log(sum of p / M).
    Each model encodes the source and keeps a state of its own, whatever its parts. The attention
    is the first model's.

    Args:
        models: in evaluation mode, with one vocabulary.
    """

    def __init__(self, models: Sequence[Seq2Seq]) -> None:
        self.models = tuple(models)

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """Layers and heads of the first model's attention; None without attention."""
        return self.models[0].attention_shape

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[EncoderOutput, ...]:
        """Encode sources [B, ...] of these lengths [B], once for each model."""
        return tuple(model.encode(source, lengths) for model in self.models)

    def positions(self, lengths: Tensor) -> Tensor:
        """Return how many states of the first model sources of these lengths have, [B]."""
        return self.models[0].positions(lengths)

    def start(self, encoded: tuple[EncoderOutput, ...]) -> DecoderState:
        """Return the decoders' states before the first token."""
        pairs = zip(self.models, encoded, strict=True)
        return EnsembleState(tuple(model.start(output) for model, output in pairs))

    def step(
        self, token_ids: Tensor, state: DecoderState, *, attention: bool = False
    ) -> DecoderStep:
        """Read one token [N] in each row and predict the next; logits are log-probabilities.

        Args:
            token_ids: the tokens, [N].
            state: what `start` or the step before returned.
            attention: return the first model's attention weights too.
        """
        states = cast(EnsembleState, state).states
        first, *others = (
            model.step(token_ids, own, attention=attention and number == 0)
            for number, (model, own) in enumerate(zip(self.models, states, strict=True))
        )
        steps = (first, *others)
        return replace(
            first,
            logits=mean_log_probs([step.logits for step in steps]),
            state=EnsembleState(tuple(step.state for step in steps)),
        )

    def __call__(self, batch: Pairs, *, attention: bool = False) -> ModelOutput:
        """Read every target of a batch at once; what it calls hidden are log-probabilities."""
        outputs = [
            model(batch, attention=attention and number == 0)
            for number, model in enumerate(self.models)
        ]
        logits = [
            model.logits(output.hidden) for model, output in zip(self.models, outputs, strict=True)
        ]
        mixed: ModelOutput = replace(outputs[0], hidden=mean_log_probs(logits))
        return mixed

    def logits(self, hidden: Tensor) -> Tensor:
        """The output layer: what `__call__` returned is past it, [B, T, V]."""
        return hidden


def mean_log_probs(logits: Sequence[Tensor]) -> Tensor:
    """Return log(1/M sum of softmax(logits)) of M models, of their shape [..., V]."""
    log_probs = torch.stack([each.float().log_softmax(-1) for each in logits])  # [M, ..., V]
    return log_probs.logsumexp(0) - math.log(len(logits))
