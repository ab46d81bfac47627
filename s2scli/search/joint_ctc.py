"""Joint decoding: the search follows the decoder and the CTC layer of the encoder together.

Watanabe et al. 2017, joint decoding in one pass; the prefix probabilities are those of Graves et
al. 2006, section 3.2. The CTC layer reads the source from its beginning to its end, so outputs
that skip, repeat or invent words rank low.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from s2scli.search.live import IMPOSSIBLE, Live
from s2scli.special_ids import EOS_ID, PAD_ID

FLOOR = -1e4  # in place of -inf, so that a token is not forbidden by the CTC layer alone


@dataclass(frozen=True)
class Paths:
    """The paths through the encoder states that spell the beginning of each output.

    Position s of the last axis stands for the first s states; all values are log-probabilities.

    Attributes:
        token: of the paths that end in the last token of the output, [B, K, S + 1].
        blank: of the paths that end in a blank after it, [B, K, S + 1].
        prefix: of all outputs that begin like this one, [B, K].
        last: the last token of each output; the blank for an empty one, [B, K].
    """

    token: Tensor
    blank: Tensor
    prefix: Tensor
    last: Tensor

    @classmethod
    def of_nothing(cls, emitted: Tensor) -> Self:
        """Return the paths of an empty output, one for each source.

        Args:
            emitted: log-probabilities of the symbols at each state, [B, S, V].
        """
        blank = _before_first(emitted[:, None, :, PAD_ID].cumsum(-1), 0.0)
        none = torch.full_like(blank, IMPOSSIBLE)
        prefix = torch.zeros_like(blank[..., 0])
        return cls(none, blank, prefix, torch.full_like(prefix, PAD_ID, dtype=torch.long))

    def grow(self, rows: Tensor, tokens: Tensor, emitted: Tensor) -> Self:
        """Return the paths of these outputs [B x K], each followed by one of the tokens.

        Args:
            rows: the outputs to extend, as rows of B x K, [B', K'].
            tokens: the tokens that follow, [B', K'].
            emitted: log-probabilities of the symbols at each state, [B', S, V].
        """
        either, blank = self.either.flatten(0, 1)[rows], self.blank.flatten(0, 1)[rows]
        states = emitted.shape[1]
        wanted = tokens[:, None].expand(-1, states, -1)
        spoken = emitted.gather(2, wanted).transpose(1, 2)  # [B', K', S]
        again = (tokens == self.last.flatten()[rows])[..., None]
        entering = torch.where(again, blank, either)[..., :-1]
        token = _before_first(_accumulate(entering, spoken), IMPOSSIBLE)
        silent = _accumulate(token[..., :-1], emitted[:, None, :, PAD_ID])
        prefix = (entering + spoken).logsumexp(-1)
        return type(self)(token, _before_first(silent, IMPOSSIBLE), prefix, tokens)

    @property
    def either(self) -> Tensor:
        """Of the paths that end in the last token or in a blank, [B, K, S + 1]."""
        return torch.logaddexp(self.token, self.blank)

    def next_token(self, emitted: Tensor) -> Tensor:
        """Return the log-probability of each token after each output, [B, K, V].

        The end token stands for outputs that end here. Where no path is left it is `FLOOR`.

        Args:
            emitted: log-probabilities of the symbols at each state, [B, S, V].
        """
        before = self.either[..., :-1]
        most = before.amax(-1, keepdim=True).clamp(min=FLOOR)
        after = ((before - most).exp() @ emitted.exp()).log() + most
        last = self.last[:, None].expand(-1, emitted.shape[1], -1)
        spoken = emitted.gather(2, last).transpose(1, 2)
        again = (self.blank[..., :-1] + spoken).logsumexp(-1)
        after = after.scatter(-1, self.last[..., None], again[..., None])
        after[..., EOS_ID] = self.either[..., -1]
        after[..., PAD_ID] = IMPOSSIBLE
        return (after - self.prefix[..., None]).nan_to_num(nan=FLOOR).clamp(min=FLOOR, max=0)


class JointCtc:
    """A rule that mixes the CTC layer's log-probabilities with the decoder's.

    It follows one search from its first step; every search needs its own.

    Args:
        log_probs: log-probabilities of the symbols at each encoder state, [B, S, V]; the padding
            token is the blank.
        states: the number of real encoder states of each source, [B].
        weight: the weight of the CTC layer, from 0 to 1.
    """

    def __init__(self, log_probs: Tensor, states: Tensor, weight: float) -> None:
        width = log_probs.shape[1]
        padding = torch.arange(width, device=log_probs.device) >= states[:, None]
        silence = log_probs.new_full(log_probs.shape[2:], IMPOSSIBLE).double()
        silence[PAD_ID] = 0.0
        self.emitted = torch.where(padding[..., None], silence, log_probs.double())
        self.weight = weight
        self.paths = Paths.of_nothing(self.emitted)

    def __call__(self, log_probs: Tensor, live: Live) -> Tensor:
        """Return (1 - weight) x log p(decoder) + weight x log p(CTC) for each token, [B, K, V]."""
        emitted = self.emitted[live.numbers]
        if live.length:
            self.paths = self.paths.grow(live.rows[..., -1], live.tokens[..., -1], emitted)
        heard = self.paths.next_token(emitted).to(log_probs.dtype)
        return log_probs * (1 - self.weight) + heard * self.weight


def _before_first(values: Tensor, value: float) -> Tensor:
    """Return values [..., S] behind a value that stands for no states, [..., S + 1]."""
    return torch.cat([torch.full_like(values[..., :1], value), values], -1)


def _accumulate(entering: Tensor, kept: Tensor) -> Tensor:
    """Return r with r[s] = (r[s - 1] + entering[s]) x kept[s], all as logarithms, [..., S].

    `kept` may be impossible at padding, where nothing that follows is possible either.
    """
    padding = kept == IMPOSSIBLE
    finite = kept.masked_fill(padding, 0.0)
    product = finite.cumsum(-1)
    found = product + torch.logcumsumexp(entering - (product - finite), -1)
    return found.masked_fill(padding, IMPOSSIBLE)
