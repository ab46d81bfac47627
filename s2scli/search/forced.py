"""Forced decoding: the scores that a model gives to given targets."""

from typing import Protocol

import torch
from torch import Tensor

from s2scli.model.states import Pairs
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.model import Encoded, Model
from s2scli.search.ranking import normalise

TOGETHER = 512  # tokens whose logits are held at once


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
    model: Model[Encoded],
    batch: ScoredPairs,
    length_penalty: float,
    length_offset: float = 0.0,
    *,
    attention: bool = True,
) -> list[Hypothesis]:
    """Return each target of a batch with its scores and attention weights.

    Args:
        model: in evaluation mode.
        batch: sources and targets.
        length_penalty: the exponent of the ranking score.
        length_offset: what is added to lengths in it.
        attention: return attention weights too.
    """
    output = model(batch, attention=attention)
    mask = batch.target_mask
    chosen, expected = _look_up(model, output.hidden[mask], batch.target_output[mask])
    lengths = mask.sum(1).tolist()
    source_lengths = model.positions(batch.source_lengths).tolist()
    hypotheses = []
    for row, (length, source_length, scores, firsts) in enumerate(
        zip(
            lengths,
            source_lengths,
            torch.split(chosen, lengths),
            torch.split(expected, lengths),
            strict=True,
        )
    ):
        weights = output.attention_weights
        hypotheses.append(
            Hypothesis(
                tuple(batch.target_output[row, :length].tolist()),
                float(normalise(scores.sum(), length, length_penalty, length_offset)),
                tuple(scores.tolist()),
                None
                if weights is None
                else weights[row, :length, :, :source_length].float().cpu().numpy(),
                tuple(firsts.tolist()),
            )
        )
    return hypotheses


def _look_up(model: Model[Encoded], hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log-probability of each target, and whether it is the most probable token, [M].

    Some at a time, as the logits of all take much memory.

    Args:
        model: whose output layer reads `hidden`.
        hidden: of M tokens, [M, D].
        targets: their ids, [M].
    """
    scores, firsts = [], []
    for some, ids in zip(
        torch.split(hidden, TOGETHER), torch.split(targets, TOGETHER), strict=True
    ):
        logits = model.logits(some).float()  # [<= TOGETHER, V]
        scores.append(logits.gather(-1, ids[:, None]).squeeze(-1) - logits.logsumexp(-1))
        firsts.append(logits.argmax(-1) == ids)
    return torch.cat(scores).cpu(), torch.cat(firsts).cpu()
