"""Signs: numbers that a validation measures for a diagnosis (`training.diagnosis`), by name.

They come from what a validation has anyway: its texts, its outputs, and one of its batches.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from s2scli.data.batch import Batch
from s2scli.data.example import TokenIds
from s2scli.model.seq2seq import Seq2Seq
from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.training.loss import score_batch
from s2scli.training.precision import autocast
from s2scli.training.settings import TrainingSettings

UNKNOWN = "⁇"  # how an unknown token is written
SUBSTRING = 6  # characters
EXAMPLES = 16  # of the batch that the model is probed with
FEWEST, SHORTEST = 4, 3  # examples, and tokens of a side, that say something about attention


def unigram_entropy(targets: Sequence[TokenIds]) -> float:
    """Return the entropy of the tokens of some texts with their end tokens, in nats per token.

    It is the loss of a model that knows how frequent each token is, and nothing else. Tokens that
    only the source knows count as unknown.
    """
    ids = np.concatenate([*targets, np.full(len(targets), EOS_ID)])
    counts = np.bincount(np.where(ids < 0, UNK_ID, ids))
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def output_signs(
    sources: Sequence[str], outputs: Sequence[str], references: Sequence[str]
) -> dict[str, float]:
    """Return shares, from 0 to 1, of what may be wrong with outputs; and of the references.

    - `same`: the share of the most frequent output among all outputs.
    - `copied`: the share of the words that also stand in the source.
    - `unknown`: the share of the words with an unknown token.
    - `repeated`: the share of the substrings that the same output had before.
    """
    signs = {}
    for suffix, texts in (("", outputs), ("_reference", references)):
        signs[f"same{suffix}"] = Counter(texts).most_common(1)[0][1] / len(texts)
        signs[f"copied{suffix}"] = _copied(sources, texts)
        words = [word for text in texts for word in text.split()]
        signs[f"unknown{suffix}"] = _share(UNKNOWN in word for word in words)
        signs[f"repeated{suffix}"] = _repeated(texts)
    return signs


def _copied(sources: Sequence[str], texts: Sequence[str]) -> float:
    both = [(Counter(s.split()), Counter(t.split())) for s, t in zip(sources, texts, strict=True)]
    return sum((s & t).total() for s, t in both) / max(1, sum(t.total() for _, t in both))


def _repeated(texts: Sequence[str]) -> float:
    several = [[t[i : i + SUBSTRING] for i in range(len(t) - SUBSTRING + 1)] for t in texts]
    return sum(len(each) - len(set(each)) for each in several) / max(1, sum(map(len, several)))


def _share(values: Iterable[bool]) -> float:
    found = [*values]
    return sum(found) / max(1, len(found))


@torch.inference_mode()
def model_signs(model: Seq2Seq, batch: Batch, settings: TrainingSettings) -> Mapping[str, float]:
    """Probe a model with the first examples of a batch; a batch too small for it has no signs.

    - `source_gain`: how much better the model predicts the targets from their sources than from
      those of other examples, in nats per token. Near 0, the model does not use the source. What
      only the right source has to copy counts as the unknown token.
    - `attention_change`: how much attention differs between the steps of a target, from 0 to 1,
      for the attention map that changes most: the mean total variation distance between a step
      and the mean of the steps. Missing without attention.

    Args:
        model: a model in evaluation mode.
        batch: a batch on the CPU.
        settings: the training settings.
    """
    batch = batch.part(slice(EXAMPLES))
    if len(batch.source) < FEWEST:
        return {}
    device = next(model.parameters()).device
    right = batch.to(device)
    wrong = replace(
        batch, source=batch.source.roll(1, 0), source_lengths=batch.source_lengths.roll(1, 0)
    ).to(device)
    losses, weights = [], None
    for each in (wrong, right):
        with autocast(settings, device):
            output = model(each, attention=True)
            logits = model.logits(each.at_targets(output.hidden)).float()
        target = each.target_tokens
        target = target.masked_fill(target >= model.vocab_size, UNK_ID)
        losses.append(float(score_batch(logits, target, 0.0).cross_entropy))
        weights = output.attention_weights
    signs = {"source_gain": (losses[0] - losses[1]) / len(batch.real)}
    if weights is not None:
        change = _attention_change(weights.float().cpu(), batch)
        signs |= {} if math.isnan(change) else {"attention_change": change}
    return signs


def _attention_change(weights: Tensor, batch: Batch) -> float:
    """Return `attention_change` of weights [B, T, A, S]; NaN if all examples are too short."""
    mask = batch.target_mask  # [B, T]
    long = (mask.sum(1) >= SHORTEST) & (batch.source_lengths >= SHORTEST)  # [B]
    weights, mask = weights[long], mask[long]
    steps = mask.sum(1)[:, None, None]  # [B, 1, 1]
    real = mask[:, :, None, None]
    mean = (weights * real).sum(1) / steps  # [B, A, S]
    distance = (weights - mean[:, None]).abs().sum(-1) / 2  # [B, T, A]
    changes = (distance * real[..., 0]).sum(1) / steps[..., 0]  # [B, A]
    return float(changes.mean(0).max()) if len(changes) else math.nan
