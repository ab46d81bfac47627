"""Which source token caused which target token: three methods, and a test of deletion.

The value of a target token is its log-probability, given the source and the target before it. Of a
contrast, it is the log-probability of one token minus that of another at the same place: why this
token, not that one (Yin & Neubig 2022, Interpreting language models with contrastive explanations,
section 3).

Axes: R target tokens that are explained, S source tokens, T target tokens, B variants of a source.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.model.seq2seq import Seq2Seq
from s2scli.search.forced import ScoredPairs
from s2scli.special_ids import PAD_ID

FIRST_POINTS, MOST_POINTS = 32, 128  # on the path of integrated gradients
CLOSE = 0.02  # enough completeness
TOGETHER = 64  # variants of a source in one batch

Method = Literal["gradient", "integrated", "erasure"]
Values = NDArray[np.float64]


Pair: TypeAlias = Callable[[Sequence[Sequence[int]], Sequence[int]], ScoredPairs]
"""Pads variants of a source, each with the same target, into a batch; adds the end tokens."""


@dataclass(frozen=True)
class Question:
    """A source and a target, and what of the target to explain.

    Token ids are those of the corpus: a piece of the target that only the source knows is negative,
    and a variant of the source that lacks it has the unknown token in its place.

    Attributes:
        model: the model, in evaluation mode, on the CPU.
        pair: puts variants of the source and the target into a batch.
        source: the S source tokens, end token included.
        target: the T target tokens, end token included.
        at: the index of the one target token to explain; None explains all, so that R = T.
        instead: with `at`, the token that it is compared with.
    """

    model: Seq2Seq
    pair: Pair
    source: tuple[int, ...]
    target: tuple[int, ...]
    at: int | None = None
    instead: int | None = None

    @property
    def count(self) -> int:
        """The number of target tokens that are explained, R."""
        return len(self.target) if self.at is None else 1

    def values(self, sources: Sequence[Sequence[int]], scale: Tensor | None = None) -> Tensor:
        """Return the values of the target tokens for variants of the source, [B, R].

        Args:
            sources: the tokens of each variant.
            scale: factors of the embeddings, [B, S]; None is 1. What can be copied stays.
        """
        pairs = self._pairs(sources, self.target)
        output = self.model(pairs, scale=scale)
        log_probs = self.model.logits(output.hidden).float().log_softmax(-1)  # [B, T, V]
        chosen: Tensor = log_probs.gather(2, pairs.target_output[..., None])[..., 0]
        if self.at is None:
            return chosen
        value = chosen[:, self.at]
        if self.instead is not None:
            other = (*self.target[: self.at], self.instead, *self.target[self.at + 1 :])
            ids = self._pairs(sources, other).target_output[:, self.at, None]
            value = value - log_probs[:, self.at].gather(1, ids)[:, 0]
        return value[:, None]

    def written(self, target: Sequence[int]) -> list[int]:
        """Return the ids with which the model writes a target with its end token.

        Those of a model that copies are source indices for pieces that only the source knows.
        """
        ids: list[int] = self._pairs([self.source], target).target_output[0].tolist()
        return ids

    def _pairs(self, sources: Sequence[Sequence[int]], target: Sequence[int]) -> ScoredPairs:
        return self.pair([source[:-1] for source in sources], target[:-1])

    @torch.no_grad()
    def of_variants(self, sources: Sequence[Sequence[int]]) -> Values:
        """Return `values` of any number of variants, in batches, [B, R]."""
        parts = [
            self.values(sources[start : start + TOGETHER]).double().numpy()
            for start in range(0, len(sources), TOGETHER)
        ]
        together: Values = np.concatenate(parts)
        return together

    def without(self, tokens: Sequence[int]) -> list[int]:
        """Return the source without the tokens at these indices."""
        gone = set(tokens)
        return [token for index, token in enumerate(self.source) if index not in gone]

    def erased(self, index: int) -> tuple[int, ...]:
        """Return the source with padding for a token, so that it cannot be copied."""
        return (*self.source[:index], PAD_ID, *self.source[index + 1 :])


def input_x_gradient(question: Question) -> Values:
    """Return the gradient of each value times the embedding of each source token, [R, S].

    It is summed over the units of an embedding (Denil et al. 2014, Extraction of salient sentences
    from labelled documents), which is the derivative by a factor of the embedding, at 1.
    """
    (gradients,) = _gradients(question, torch.ones(1))
    found: Values = gradients
    return found


def integrated_gradients(question: Question, most: int = MOST_POINTS) -> Values:
    """Return the integrated gradients of each value by each source token, [R, S].

    The path goes from embeddings of 0 to those of the source, in a straight line (Sundararajan et
    al. 2017, Axiomatic attribution for deep networks, eq. 1). The sum over the source is the value
    minus the value of embeddings of 0 (completeness, proposition 1). The number of points is
    doubled until no sum misses that by more than 2 %. What a model that copies can
    copy is the same on the whole path.

    Args:
        question: what to explain.
        most: the maximum number of points on the path.
    """
    points = FIRST_POINTS
    while True:
        total = _integral(question, points)
        if points >= most or incompleteness(question, total) <= CLOSE:
            return total
        points *= 2


def incompleteness(question: Question, saliency: Values) -> float:
    """Return the largest difference between a sum over the source and what it should be.

    It is a share of the fall of the value when all embeddings become 0, or of 1 nat if that is
    more.
    """
    ends = torch.tensor([1.0, 0.0])[:, None].expand(-1, len(question.source))
    with torch.no_grad():
        whole, nothing = question.values([question.source] * 2, ends).double().numpy()
    fall = whole - nothing
    share: float = (np.abs(saliency.sum(axis=1) - fall) / np.maximum(np.abs(fall), 1.0)).max()
    return float(share)


def _integral(question: Question, points: int) -> Values:
    """Return the integral of the gradients along the path, [R, S], by the midpoint rule over u.

    The points are at u^4, so that they are denser near 0, where a layer norm changes the value
    most.
    """
    middles = (torch.arange(points) + 0.5) / points
    weights = (4 * middles**3 / points).double().numpy()
    total: Values = np.tensordot(weights, _gradients(question, middles**4), 1)
    return total


def _gradients(question: Question, points: Tensor) -> Values:
    """Return the gradient of each value by the factors of the embeddings, [points, R, S].

    Each gradient has a variant of its own, so that one backward pass finds many.

    Args:
        question: what to explain.
        points: the factor of all embeddings at which the gradients are taken, [points].
    """
    count = question.count
    of_all = torch.arange(len(points) * count)
    rows = []
    for some in torch.split(of_all, TOGETHER):
        scale = points[some // count, None].expand(-1, len(question.source))
        factors = scale.clone().requires_grad_()
        values = question.values([question.source] * len(some), factors)  # [B, R]
        chosen = values.gather(1, (some % count)[:, None]).sum()
        rows.append(torch.autograd.grad(chosen, factors)[0])
    gradients: Values = torch.cat(rows).double().numpy()
    return gradients.reshape(len(points), count, -1)


@torch.no_grad()
def erasure(question: Question) -> Values:
    """Return how much each value falls if the embedding of a source token becomes 0, [R, S].

    (Li et al. 2016, Understanding neural networks through representation erasure, eq. 1, with the
    difference instead of its share.) A model that copies cannot copy the erased token, unless it is
    the end token. A target token that could only be copied from there becomes the unknown token.
    """
    count = len(question.source)
    sources = [question.source, *map(question.erased, range(count))]
    scale = torch.cat([torch.ones(1, count), 1 - torch.eye(count)])
    parts = [
        question.values([sources[index] for index in some.tolist()], scale[some])
        for some in torch.split(torch.arange(count + 1), TOGETHER)
    ]
    whole, *others = torch.cat(parts).double().numpy()
    fallen: Values = (whole - np.stack(others)).T
    return fallen


METHODS: dict[Method, Callable[[Question], Values]] = {
    "gradient": input_x_gradient,
    "integrated": integrated_gradients,
    "erasure": erasure,
}


@dataclass(frozen=True)
class DeletionTest:
    """Whether the tokens that are said to matter do matter: they are deleted from the source.

    Attributes:
        correlation: the correlation of what a token is said to matter with how much its deletion
            lowers the value: the mean over the target tokens; NaN if it is defined for none.
        most_first: how much the value falls, in nats, on average over the deletion of the 1, 2, ...
            tokens that are said to matter most: the area above the curve (Samek et al. 2017,
            Evaluating the visualization of what a deep neural network has learned, eq. 12); the
            mean over the target tokens.
        least_first: the same if the tokens that are said to matter least are deleted first.
    """

    correlation: float
    most_first: float
    least_first: float


def deletion_test(
    question: Question, saliency: Values, advance: Callable[[int], None] = lambda rows: None
) -> DeletionTest:
    """Delete source tokens in the order of their saliency; the end token is kept.

    Args:
        question: what was explained; its source has a token besides the end token.
        saliency: what each source token is said to matter, [R, S].
        advance: called with the number of target tokens that were tested since the last call.
    """
    words = len(question.source) - 1
    whole, *without = question.of_variants(
        [question.source, *(question.without([index]) for index in range(words))]
    )
    fallen = (whole - np.stack(without)).T  # [R, S - 1]
    kept = saliency[:, :words]
    areas = []
    for row, value in enumerate(whole):
        order = np.argsort(-kept[row], kind="stable").tolist()
        curves = [*_prefixes(order), *_prefixes(order[::-1])]
        left = question.of_variants([question.without(gone) for gone in curves])[:, row]
        areas.append([value - left[:words].mean(), value - left[words:].mean()])
        advance(1)
    most, least = np.mean(areas, axis=0)
    return DeletionTest(_mean_correlation(kept, fallen), float(most), float(least))


def _prefixes(order: Sequence[int]) -> Iterator[Sequence[int]]:
    return (order[:count] for count in range(1, len(order) + 1))


def _mean_correlation(ours: Values, theirs: Values) -> float:
    """Return the mean correlation of the rows of two tables that vary; NaN if none does."""
    pairs = [
        (one - one.mean(), other - other.mean()) for one, other in zip(ours, theirs, strict=True)
    ]
    found = [
        float(one @ other / np.sqrt((one @ one) * (other @ other)))
        for one, other in pairs
        if one.any() and other.any()
    ]
    return float(np.mean(found)) if found else float("nan")
