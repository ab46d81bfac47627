"""Damage done to token ids on the fly: random, and a function of the generator it is given."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.data.example import TokenIds
from s2scli.data.settings import NoiseSettings
from s2scli.special_ids import EOS_ID, UNK_ID


def drop_tokens(ids: Tensor, rate: float, random: np.random.Generator) -> Tensor:
    """Return padded ids with some tokens made unknown, each with probability `rate`.

    That is word dropout: of a decoder's input it is that of Bowman et al. 2016, section 3.1.
    Special tokens stay.

    Args:
        ids: [B, T].
        rate: from 0 (nothing changes) to 1.
        random: where chance comes from.
    """
    if not rate:
        return ids
    dropped = torch.from_numpy(random.random(tuple(ids.shape)) < rate)
    return ids.masked_fill(dropped & (ids > EOS_ID), UNK_ID)


def damage(
    rows: Sequence[TokenIds], noise: NoiseSettings, random: np.random.Generator
) -> Sequence[TokenIds]:
    """Return texts as a denoising model is to read them; none becomes longer.

    Tokens are moved about, then spans of them hidden, then single ones deleted and hidden. What
    is hidden becomes the unknown token.

    Args:
        rows: the ids of each text, without special tokens.
        noise: what is done; nothing where all is 0.
        random: where chance comes from.
    """
    texts = _Texts(np.concatenate(rows), np.repeat(np.arange(len(rows)), [*map(len, rows)]))
    if noise.permute:
        texts = _permuted(texts, noise.permute, random)
    if noise.span:
        texts = _with_spans_hidden(texts, noise.span, noise.span_length, random)
    if noise.delete:
        texts = texts.kept(random.random(len(texts.ids)) >= noise.delete)
    if noise.mask:
        texts = texts.hidden(random.random(len(texts.ids)) < noise.mask)
    ends = np.searchsorted(texts.rows, np.arange(len(rows) - 1), side="right")
    return np.split(texts.ids, ends)


@dataclass(frozen=True)
class _Texts:
    """Some texts end to end, N tokens in all.

    Attributes:
        ids: the tokens, [N].
        rows: the number of each token's text, growing, [N].
    """

    ids: TokenIds
    rows: NDArray[np.int64]

    def kept(self, places: NDArray[np.bool_]) -> "_Texts":
        """Return what is left when only the tokens at these places stay."""
        return _Texts(self.ids[places], self.rows[places])

    def hidden(self, places: NDArray[np.bool_]) -> "_Texts":
        """Return the texts with the tokens at these places unknown."""
        return _Texts(np.where(places, np.int32(UNK_ID), self.ids), self.rows)


def _permuted(texts: _Texts, distance: int, random: np.random.Generator) -> _Texts:
    """Move tokens by at most `distance` places.

    Token i goes where i + U(0, distance + 1) stands in order (Lample et al. 2018, section 2.3).
    """
    places = np.arange(len(texts.ids)) + random.uniform(0, distance + 1, len(texts.ids))
    return _Texts(texts.ids[np.lexsort((places, texts.rows))], texts.rows)


def _with_spans_hidden(
    texts: _Texts, share: float, mean_length: float, random: np.random.Generator
) -> _Texts:
    """Put one unknown token in the place of each of some spans (Lewis et al. 2020, section 2.2).

    A span has as many tokens as Poisson says, but one at least. Spans may begin before a text
    does and end after it, so that its ends are hidden as often as its middle: for that, what
    comes after a text is the next one, and after the last one the first.

    Args:
        texts: N tokens.
        share: the tokens that lie in spans, from 0 to below 1.
        mean_length: of Poisson's distribution.
        random: where chance comes from.
    """
    count = len(texts.ids)
    expected = mean_length + math.exp(-mean_length)  # of the larger of a Poisson number and 1
    # begins so dense leave a place uncovered with probability exp(log(1 - share))
    begins = np.repeat(np.arange(count), random.poisson(-math.log1p(-share) / expected, count))
    lengths = np.clip(random.poisson(mean_length, len(begins)), 1, count)
    changes = np.bincount(begins, minlength=2 * count)
    changes -= np.bincount(begins + lengths, minlength=2 * count)
    covered = np.cumsum(changes).reshape(2, count).sum(0) > 0  # [N]
    goes_on = np.zeros(count, np.bool_)
    goes_on[1:] = covered[1:] & covered[:-1] & (texts.rows[1:] == texts.rows[:-1])
    return texts.hidden(covered).kept(~goes_on)
