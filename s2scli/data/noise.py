"""Adds random noise to token ids, drawn from a given generator."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.data.example import TokenIds, Values
from s2scli.data.settings import NoiseSettings
from s2scli.special_ids import EOS_ID, UNK_ID


def drop_tokens(ids: Tensor, rate: float, random: np.random.Generator) -> Tensor:
    """Replace each token by the unknown token with probability `rate`.

    On the input of a decoder, this is word dropout (Bowman et al. 2016, section 3.1). Special
    tokens are not replaced.

    Args:
        ids: padded token ids, [B, T].
        rate: the probability, from 0 to 1.
        random: the random generator.
    """
    if not rate:
        return ids
    dropped = torch.from_numpy(random.random(tuple(ids.shape)) < rate)
    return ids.masked_fill(dropped & (ids > EOS_ID), UNK_ID)


def damage(
    rows: Sequence[Values], noise: NoiseSettings, random: np.random.Generator
) -> Sequence[Values]:
    """Return texts with noise, as input for a denoising model.

    The steps are, in order: permute tokens, mask spans, delete tokens, mask single tokens. A masked
    token becomes the unknown token. No text becomes longer.

    Args:
        rows: the token ids of each text, without special tokens.
        noise: the settings of the noise; if all rates are 0, nothing changes.
        random: the random generator.
    """
    if not (noise.permute or noise.span or noise.delete or noise.mask):
        return rows
    texts = _Texts(np.concatenate(rows), np.repeat(np.arange(len(rows)), [*map(len, rows)]))
    if noise.permute:
        texts = _permuted(texts, noise.permute, random)
    if noise.span:
        texts = _with_spans_masked(texts, noise.span, noise.span_length, random)
    if noise.delete:
        texts = texts.kept(random.random(len(texts.ids)) >= noise.delete)
    if noise.mask:
        texts = texts.masked(random.random(len(texts.ids)) < noise.mask)
    ends = np.searchsorted(texts.rows, np.arange(len(rows) - 1), side="right")
    return np.split(texts.ids, ends)


@dataclass(frozen=True)
class _Texts:
    """Concatenated texts, N tokens in total.

    Attributes:
        ids: the token ids, [N].
        rows: the index of each token's text, in ascending order, [N].
    """

    ids: TokenIds
    rows: NDArray[np.int64]

    def kept(self, mask: NDArray[np.bool_]) -> "_Texts":
        """Keep only the tokens where `mask` [N] is True."""
        return _Texts(self.ids[mask], self.rows[mask])

    def masked(self, mask: NDArray[np.bool_]) -> "_Texts":
        """Replace tokens by the unknown token where `mask` [N] is True."""
        return _Texts(np.where(mask, np.int32(UNK_ID), self.ids), self.rows)


def _permuted(texts: _Texts, distance: int, random: np.random.Generator) -> _Texts:
    """Move tokens by at most `distance` positions.

    Tokens are sorted by i + U(0, distance + 1), where i is their position (Lample et al. 2018,
    section 2.3).
    """
    keys = np.arange(len(texts.ids)) + random.uniform(0, distance + 1, len(texts.ids))
    return _Texts(texts.ids[np.lexsort((keys, texts.rows))], texts.rows)


def _with_spans_masked(
    texts: _Texts, share: float, mean_length: float, random: np.random.Generator
) -> _Texts:
    """Replace random spans by one unknown token each (Lewis et al. 2020, section 2.2).

    The length of a span is drawn from a Poisson distribution; 0 becomes 1. A span that crosses the
    end of a text continues in the next text; after the last text, it continues in the first. So the
    start and end of a text are masked as often as its middle.

    Args:
        texts: the texts, N tokens in total.
        share: the expected share of tokens in spans, at least 0 and below 1.
        mean_length: the mean of the Poisson distribution.
        random: the random generator.
    """
    count = len(texts.ids)
    expected = mean_length + math.exp(-mean_length)  # mean of max(1, Poisson)
    # with this rate of span starts, a token is in no span with probability 1 - share
    begins = np.repeat(np.arange(count), random.poisson(-math.log1p(-share) / expected, count))
    lengths = np.clip(random.poisson(mean_length, len(begins)), 1, count)
    changes = np.bincount(begins, minlength=2 * count)
    changes -= np.bincount(begins + lengths, minlength=2 * count)
    covered = np.cumsum(changes).reshape(2, count).sum(0) > 0  # [N]
    goes_on = np.zeros(count, np.bool_)
    goes_on[1:] = covered[1:] & covered[:-1] & (texts.rows[1:] == texts.rows[:-1])
    return texts.masked(covered).kept(~goes_on)
