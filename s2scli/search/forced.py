"""Forced decoding: what a model thinks of targets that are given."""

from typing import Protocol

import torch
from torch import Tensor

from s2scli.model.states import Pairs
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.model import Encoded, Model
from s2scli.search.ranking import normalise


class ScoredPairs(Pairs, Protocol):
    """The part of a batch that forced decoding reads (`data.Batch` is one)."""

    @property
    def target_output(self) -> Tensor:
        """The ids to score, [B, T]."""
        ...

    @property
    def target_mask(self) -> Tensor:
        """True at real tokens, [B, T]."""
        ...


@torch.inference_mode()
def force(
    model: Model[Encoded], batch: ScoredPairs, length_penalty: float, *, with_attention: bool = True
) -> list[Hypothesis]:
    """Return each target of a batch with its scores and attention weights.

    Args:
        model: in evaluation mode.
        batch: sources and targets.
        length_penalty: the exponent of the ranking score.
        with_attention: keep attention weights.
    """
    output = model(batch, with_attention=with_attention)
    log_probs = model.logits(output.hidden).float().log_softmax(-1)  # [B, T, V]
    chosen = log_probs.gather(-1, batch.target_output[..., None]).squeeze(-1)  # [B, T]
    expected = log_probs.argmax(-1) == batch.target_output  # [B, T]
    lengths = batch.target_mask.sum(1).tolist()
    hypotheses = []
    for row, (length, source_length) in enumerate(
        zip(lengths, batch.source_lengths.tolist(), strict=True)
    ):
        scores = chosen[row, :length]
        weights = output.attention_weights
        hypotheses.append(
            Hypothesis(
                tuple(batch.target_output[row, :length].tolist()),
                float(normalise(scores.sum(), length, length_penalty)),
                tuple(scores.tolist()),
                None
                if weights is None
                else weights[row, :length, :, :source_length].float().cpu().numpy(),
                tuple(expected[row, :length].tolist()),
            )
        )
    return hypotheses
