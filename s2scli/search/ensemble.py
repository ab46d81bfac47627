"""Ensembles: several models that predict each token together, with the interface of one model."""

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
    """The decoder states of M models, in the order of the models."""

    states: tuple[DecoderState, ...]

    def reorder(self, indices: Tensor) -> "EnsembleState":
        """Return states whose row i is row `indices[i]` of these states, [N']."""
        return EnsembleState(tuple(state.reorder(indices) for state in self.states))

    def keep(self, sentences: Tensor) -> "EnsembleState":
        """Return the states of the sentences at these indices, [B']."""
        return EnsembleState(tuple(state.keep(sentences) for state in self.states))


class Ensemble:
    """M models that predict each token together.

    The probability of a token is the mean of the models' probabilities (Sutskever et al. 2014,
    section 3.6, as in fairseq and Sockeye), so the logits are log(sum of p / M). Each model encodes
    the source and keeps its own state, so the architectures can differ. The attention weights are
    those of the first model.

    Args:
        models: models in evaluation mode, with the same vocabularies.
    """

    def __init__(self, models: Sequence[Seq2Seq]) -> None:
        self.models = tuple(models)

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """The number of layers and heads of the first model's attention; None without attention."""
        return self.models[0].attention_shape

    @property
    def has_ctc(self) -> bool:
        """Whether the first model has a CTC layer."""
        return self.models[0].has_ctc

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[EncoderOutput, ...]:
        """Encode sources [B, ...] of these lengths [B], once for each model."""
        return tuple(model.encode(source, lengths) for model in self.models)

    def positions(self, lengths: Tensor) -> Tensor:
        """Return how many states of the first model sources of these lengths have, [B]."""
        return self.models[0].positions(lengths)

    def ctc_log_probs(self, encoded: tuple[EncoderOutput, ...]) -> Tensor:
        """Return log-probabilities of the first model's CTC layer at each state, [B, S, V]."""
        return self.models[0].ctc_log_probs(encoded[0])

    def start(self, encoded: tuple[EncoderOutput, ...]) -> DecoderState:
        """Return the decoders' states before the first token."""
        pairs = zip(self.models, encoded, strict=True)
        return EnsembleState(tuple(model.start(output) for model, output in pairs))

    def step(
        self, token_ids: Tensor, state: DecoderState, *, attention: bool = False
    ) -> DecoderStep:
        """Read one token per row and predict the next; the logits are log-probabilities.

        Args:
            token_ids: the tokens, [N].
            state: the state from `start` or from the previous step.
            attention: whether to return the first model's attention weights too.
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
        """Read the targets of a batch at once; `hidden` of the output holds log-probabilities."""
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
        """Return `hidden` unchanged, because `__call__` applies the output layer, [B, T, V]."""
        return hidden


def mean_log_probs(logits: Sequence[Tensor]) -> Tensor:
    """Return log(1/M sum of softmax(logits)) over M models, [..., V]."""
    log_probs = torch.stack([each.float().log_softmax(-1) for each in logits])  # [M, ..., V]
    return log_probs.logsumexp(0) - math.log(len(logits))
