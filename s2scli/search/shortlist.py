"""A lexical shortlist: each source token allows some target tokens, and only these are computed.

The tokens that a sentence allows depend on its own source alone. The search of a batch knows only
the union of what its sentences allow; for each sentence, the others of the union are impossible. So
a batch and its order change nothing. All sentences allow the special tokens.

Axes: B sentences, R rows per sentence, N = B x R, V target vocabulary, U tokens of the union.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import DecoderState, DecoderStep, EncoderOutput, ModelOutput, Pairs
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.live import IMPOSSIBLE
from s2scli.special_ids import EOS_ID

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
        common = sorted(_most(counts, COMMON))
        best = torch.full((source_vocab_size, BEST), EOS_ID)
        for source, targets in links.items():
            chosen = _most(targets, BEST)
            best[source, : len(chosen)] = torch.tensor(chosen)
        return cls(torch.tensor(common, dtype=torch.long), best)

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
        allowed[:, : EOS_ID + 1] = True
        return allowed

    def to(self, device: torch.device) -> "Shortlist":
        """Return the shortlist on a device."""
        return Shortlist(self.common.to(device), self.best.to(device))


def _most(counts: Counter[int], most: int) -> list[int]:
    """Return the most frequent tokens; equal counts are ordered by id."""
    return sorted(counts, key=lambda token: (-counts[token], token))[:most]


@dataclass(frozen=True)
class ShortlistedState:
    """The decoder's state, and which tokens of the union each sentence allows, [B, U]."""

    state: DecoderState
    allowed: Tensor

    def reorder(self, indices: Tensor) -> "ShortlistedState":
        """Return the state whose row i is row `indices[i]` of this one, [N']."""
        return replace(self, state=self.state.reorder(indices))

    def keep(self, sentences: Tensor) -> "ShortlistedState":
        """Return the state of the sentences at these indices, [B']."""
        return ShortlistedState(self.state.keep(sentences), self.allowed.index_select(0, sentences))


class Shortlisted:
    """A model that writes only the tokens of one batch, with the interface of a model.

    To the search, the union of the tokens is the vocabulary: a token is its index in the union,
    where special tokens come first and keep their ids. `restore` returns the ids of outputs.

    Args:
        model: a model in evaluation mode that reads text and does not copy.
        shortlist: the shortlist, on the device of the model.
        source: the padded sources of the batch, [B, S].
        lengths: the number of real tokens in each source, [B].
    """

    def __init__(
        self, model: Seq2Seq, shortlist: Shortlist, source: Tensor, lengths: Tensor
    ) -> None:
        allowed = shortlist.allowed(source, lengths, model.vocab_size)
        self.model, self.tokens = model, allowed.any(0).nonzero()[:, 0]  # [U]
        self.allowed = allowed.index_select(1, self.tokens)
        self.output = model.narrowed_output(self.tokens)

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """The number of layers and heads of the attention; None without attention."""
        return self.model.attention_shape

    @property
    def has_ctc(self) -> bool:
        """Whether the encoder has a CTC layer."""
        return self.model.has_ctc

    def encode(self, source: Tensor, lengths: Tensor) -> EncoderOutput:
        """Encode the sources [B, S] of the batch."""
        return self.model.encode(source, lengths)

    def positions(self, lengths: Tensor) -> Tensor:
        """Return how many encoder states sources of these lengths have, [B]."""
        return self.model.positions(lengths)

    def ctc_log_probs(self, encoded: EncoderOutput) -> Tensor:
        """Return log-probabilities of the CTC layer's symbols at each state, [B, S, U]."""
        return self.model.ctc_log_probs(encoded)[..., self.tokens]

    def start(self, encoded: EncoderOutput) -> ShortlistedState:
        """Return the state before the first token, one row for each sentence."""
        return ShortlistedState(self.model.start(encoded), self.allowed)

    def step(
        self, token_ids: Tensor, state: DecoderState, *, attention: bool = False
    ) -> DecoderStep:
        """Read one token per row [N] and predict the next: logits [N, U]."""
        own = cast(ShortlistedState, state)
        token_ids = self.tokens.index_select(0, token_ids)
        step = self.model.step(token_ids, own.state, attention=attention, output=self.output)
        logits = step.logits.view(len(own.allowed), -1, len(self.tokens))
        logits.masked_fill_(~own.allowed[:, None], IMPOSSIBLE)
        return replace(
            step, logits=logits.flatten(0, 1), state=ShortlistedState(step.state, own.allowed)
        )

    def __call__(self, batch: Pairs, *, attention: bool = False) -> ModelOutput:
        """Read all tokens of given targets, which may have any token."""
        output: ModelOutput = self.model(batch, attention=attention)
        return output

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits [B, T, V] of the `hidden` output of `__call__`."""
        return self.model.logits(hidden)

    def restore(self, found: Sequence[tuple[Hypothesis, ...]]) -> list[tuple[Hypothesis, ...]]:
        """Return hypotheses of the search with the ids of their tokens."""
        ids = self.tokens.tolist()
        return [
            tuple(replace(one, token_ids=tuple(ids[t] for t in one.token_ids)) for one in some)
            for some in found
        ]
