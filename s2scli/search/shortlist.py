"""A lexical shortlist: each source token allows some target tokens, and only these are computed.

The tokens that a sentence allows depend on its own source alone. The output layer computes the
union of what the sentences of a batch allow; the others of the union are impossible. So a batch and
its order change nothing.

Axes: B sentences, R rows per sentence, N = B x R, V target vocabulary, U tokens of the union.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from s2scli.model.output.plain import PlainOutput
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import DecoderState, DecoderStep, EncoderOutput, ModelOutput, Pairs
from s2scli.search.live import IMPOSSIBLE
from s2scli.special_ids import EOS_ID, UNK_ID

COMMON, BEST = 50, 50


@dataclass(frozen=True)
class Shortlist:
    """The target tokens that each source token allows.

    Attributes:
        common: tokens that every source allows, [C].
        best: tokens that each source token allows, [source vocabulary, L]; the end token fills
            rows that have fewer.
    """

    common: Tensor
    best: Tensor

    @classmethod
    def of(
        cls,
        links: Mapping[int, Counter[int]],
        counts: Counter[int],
        source_vocab_size: int,
    ) -> "Shortlist":
        """Choose the COMMON most frequent target tokens, and the BEST of each source token.

        Equal counts are ordered by id.

        Args:
            links: how often each target token is aligned to each source token.
            counts: how often each target token occurs.
            source_vocab_size: the number of source tokens.
        """
        common = sorted({EOS_ID, UNK_ID, *_most(counts, COMMON)})
        best = torch.full((source_vocab_size, BEST), EOS_ID)
        for source, targets in links.items():
            chosen = _most(targets, BEST)
            best[source, : len(chosen)] = torch.tensor(chosen)
        return cls(torch.tensor(common), best)

    def allowed(self, source: Tensor, lengths: Tensor, vocab_size: int) -> Tensor:
        """Return which tokens each sentence allows, [B, V].

        Args:
            source: padded source ids, [B, S].
            lengths: the number of real tokens in each source, [B].
            vocab_size: the number of target tokens.
        """
        real = (
            torch.arange(source.shape[1], device=source.device) < lengths.to(source.device)[:, None]
        )
        tokens = self.best[source].masked_fill(~real[..., None], EOS_ID).flatten(1)
        allowed = torch.zeros(len(source), vocab_size, dtype=torch.bool, device=source.device)
        allowed.scatter_(1, tokens, True)
        allowed[:, self.common] = True
        return allowed

    def to(self, device: torch.device) -> "Shortlist":
        """Return the shortlist on a device."""
        return Shortlist(self.common.to(device), self.best.to(device))


def _most(counts: Counter[int], most: int) -> list[int]:
    """Return the most frequent tokens; equal counts are ordered by id."""
    return sorted(counts, key=lambda token: (-counts[token], token))[:most]


@dataclass(frozen=True)
class ShortlistedSource:
    """A batch of encoded sources, and the tokens that each allows, [B, V]."""

    output: EncoderOutput
    allowed: Tensor


@dataclass(frozen=True)
class ShortlistedState:
    """The decoder's state, and the output layer of the tokens that the batch allows.

    Attributes:
        state: the decoder's state.
        tokens: the ids of the union, [U].
        allowed: which of them each sentence allows, [B, U].
        layer: the output layer of the union.
    """

    state: DecoderState
    tokens: Tensor
    allowed: Tensor
    layer: PlainOutput

    def reorder(self, indices: Tensor) -> "ShortlistedState":
        """Return the state whose row i is row `indices[i]` of this one, [N']."""
        return replace(self, state=self.state.reorder(indices))

    def keep(self, sentences: Tensor) -> "ShortlistedState":
        """Return the state of the sentences at these indices, [B']."""
        return replace(
            self, state=self.state.keep(sentences), allowed=self.allowed.index_select(0, sentences)
        )


class Shortlisted:
    """A model that writes only the tokens of a shortlist, with the interface of a model.

    Args:
        model: a model in evaluation mode that reads text and does not copy.
        shortlist: the shortlist, on the device of the model.
    """

    def __init__(self, model: Seq2Seq, shortlist: Shortlist) -> None:
        self.model, self.shortlist = model, shortlist

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """The number of layers and heads of the attention; None without attention."""
        return self.model.attention_shape

    @property
    def has_ctc(self) -> bool:
        """Whether the encoder has a CTC layer."""
        return self.model.has_ctc

    def encode(self, source: Tensor, lengths: Tensor) -> ShortlistedSource:
        """Encode sources [B, S] of these lengths [B], and look up what they allow."""
        allowed = self.shortlist.allowed(source, lengths, self.model.vocab_size)
        return ShortlistedSource(self.model.encode(source, lengths), allowed)

    def positions(self, lengths: Tensor) -> Tensor:
        """Return how many encoder states sources of these lengths have, [B]."""
        return self.model.positions(lengths)

    def ctc_log_probs(self, encoded: ShortlistedSource) -> Tensor:
        """Return log-probabilities of the CTC layer's symbols at each state, [B, S, V]."""
        return self.model.ctc_log_probs(encoded.output)

    def start(self, encoded: ShortlistedSource) -> ShortlistedState:
        """Return the state before the first token, one row for each sentence."""
        tokens = encoded.allowed.any(0).nonzero()[:, 0]
        return ShortlistedState(
            self.model.start(encoded.output),
            tokens,
            encoded.allowed.index_select(1, tokens),
            self.model.narrowed_output(tokens),
        )

    def step(
        self, token_ids: Tensor, state: DecoderState, *, attention: bool = False
    ) -> DecoderStep:
        """Read one token per row [N] and predict the next; other tokens have a logit of -inf."""
        own = cast(ShortlistedState, state)
        step = self.model.step(token_ids, own.state, attention=attention, output=own.layer)
        sentences, union = own.allowed.shape
        logits = step.logits.view(sentences, -1, union)
        logits = logits.masked_fill(~own.allowed[:, None], IMPOSSIBLE).flatten(0, 1)
        every = logits.new_full((len(logits), self.model.vocab_size), IMPOSSIBLE)
        return replace(
            step,
            logits=every.index_copy_(1, own.tokens, logits),
            state=replace(own, state=step.state),
        )

    def __call__(self, batch: Pairs, *, attention: bool = False) -> ModelOutput:
        """Read all tokens of given targets, which may have any token."""
        output: ModelOutput = self.model(batch, attention=attention)
        return output

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits [B, T, V] of the `hidden` output of `__call__`."""
        return self.model.logits(hidden)
