"""Noise added to token ids on the fly: random, and determined by the generator it is given."""

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
    """Replace each token of padded ids by the unknown token with probability `rate`.

    On a decoder's input this is the word dropout of Bowman et al. 2016, section 3.1. Special
    tokens stay.

    Args:
        ids: [B, T].
        rate: from 0 (nothing changes) to 1.
        random: the random generator.
    """
    if not rate:
        return ids
    dropped = torch.from_numpy(random.random(tuple(ids.shape)) < rate)
    return ids.masked_fill(dropped & (ids > EOS_ID), UNK_ID)


def damage(
    rows: Sequence[Values], noise: NoiseSettings, random: np.random.Generator
) -> Sequence[Values]:
    """Return texts with noise, as a denoising model reads them; none becomes longer.

    Tokens are moved, then spans are masked, then single tokens are deleted, then masked. A masked
    token becomes the unknown token.

    Args:
        rows: the ids of each text, without special tokens.
        noise: the kinds of noise and their rates; nothing changes where all are 0.
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
    """Texts end to end, N tokens in all.

    Attributes:
        ids: the tokens, [N].
        rows: the index of each token's text, non-decreasing, [N].
    """

    ids: TokenIds
    rows: NDArray[np.int64]

    def kept(self, mask: NDArray[np.bool_]) -> "_Texts":
        """Return the texts with only the tokens where `mask` is True, [N]."""
        return _Texts(self.ids[mask], self.rows[mask])

    def masked(self, mask: NDArray[np.bool_]) -> "_Texts":
        """Return the texts with the unknown token where `mask` is True, [N]."""
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

    The length of a span is drawn from a Poisson distribution, and is at least 1. A span may begin
    before a text and end after it, so that the ends of a text are masked as often as its middle:
    a span that leaves one text goes on in the next, and from the last in the first.

    Args:
        texts: N tokens.
        share: the share of tokens that lie in spans, from 0 to below 1.
        mean_length: the mean of the Poisson distribution.
        random: the random generator.
    """
    count = len(texts.ids)
    expected = mean_length + math.exp(-mean_length)  # mean of max(1, Poisson)
    # with this density of begins a token is uncovered with probability exp(log(1 - share))
    begins = np.repeat(np.arange(count), random.poisson(-math.log1p(-share) / expected, count))
    lengths = np.clip(random.poisson(mean_length, len(begins)), 1, count)
    changes = np.bincount(begins, minlength=2 * count)
    changes -= np.bincount(begins + lengths, minlength=2 * count)
    covered = np.cumsum(changes).reshape(2, count).sum(0) > 0  # [N]
    goes_on = np.zeros(count, np.bool_)
    goes_on[1:] = covered[1:] & covered[:-1] & (texts.rows[1:] == texts.rows[:-1])
    return texts.masked(covered).kept(~goes_on)
