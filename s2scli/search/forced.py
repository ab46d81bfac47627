"""Forced decoding: score given targets with a model."""

from typing import Protocol

import torch
from torch import Tensor

from s2scli.model.states import Pairs
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.model import Encoded, Model
from s2scli.search.ranking import normalise

TOGETHER = 512  # tokens per chunk, to limit memory for logits


class ScoredPairs(Pairs, Protocol):
    """The part of a batch that forced decoding reads; `data.Batch` implements it."""

    @property
    def target_output(self) -> Tensor:
        """The token ids to score, [B, T]."""
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
        model: a model in evaluation mode.
        batch: sources and targets.
        length_penalty: exponent of the length penalty.
        length_offset: offset of the length penalty.
        attention: whether to return attention weights too.
    """
    output = model(batch, attention=attention)
    mask = batch.target_mask
    chosen, expected = _look_up(model, output.hidden[mask], batch.target_output[mask])
    lengths = mask.sum(1).tolist()
    source_lengths = model.positions(batch.source_lengths).tolist()
    p_copy = output.p_copy if attention else None
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
                p_copy=() if p_copy is None else tuple(p_copy[row, :length].tolist()),
            )
        )
    return hypotheses


def _look_up(model: Model[Encoded], hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log-probability of each target, and whether it is the most probable token, [M].

    It works in chunks, because the logits of all tokens need much memory.

    Args:
        model: the model whose output layer computes the logits.
        hidden: input of the output layer for M tokens, [M, D].
        targets: the ids of the target tokens, [M].
    """
    scores, firsts = [], []
    for some, ids in zip(
        torch.split(hidden, TOGETHER), torch.split(targets, TOGETHER), strict=True
    ):
        logits = model.logits(some).float()  # [<= TOGETHER, V]
        scores.append(logits.gather(-1, ids[:, None]).squeeze(-1) - logits.logsumexp(-1))
        firsts.append(logits.argmax(-1) == ids)
    return torch.cat(scores).cpu(), torch.cat(firsts).cpu()
