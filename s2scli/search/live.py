"""The data of the search: live hypotheses and their continuations.

Axes: B sentences still being searched, K hypotheses per sentence, T tokens so far, C candidates per
sentence, V tokens in the vocabulary.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from s2scli.special_ids import BOS_ID

IMPOSSIBLE = float("-inf")


@dataclass(frozen=True)
class Candidates:
    """C continuations per sentence.

    Attributes:
        score: sum of log-probabilities; -inf if there is no such continuation, [B, C].
        token: the token that the continuation appends, [B, C].
        parent: the index of the hypothesis that it extends, [B, C].
    """

    score: Tensor
    token: Tensor
    parent: Tensor

    def take(self, indices: Tensor) -> "Candidates":
        """Return the candidates at these indices, [B, C']."""
        return Candidates(
            self.score.gather(1, indices),
            self.token.gather(1, indices),
            self.parent.gather(1, indices),
        )


@dataclass(frozen=True)
class Chosen:
    """The continuations that one step chooses.

    Attributes:
        ended: continuations that end here; those with a score of -inf do not count, [B, C].
        live: continuations that do not end, [B, K].
    """

    ended: Candidates
    live: Candidates


@dataclass(frozen=True)
class Live:
    """The unfinished hypotheses of the sentences still being searched.

    Attributes:
        scores: sum of log-probabilities; -inf if there is no such hypothesis, [B, K].
        tokens: the tokens so far, [B, K, T].
        token_scores: the log-probability of each token, [B, K, T].
        rows: the hypothesis's row in the batch at each step, [B, K, T].
        longest: maximum output length of each sentence, end token included, [B].
        numbers: the index of each sentence in the search, [B].
    """

    scores: Tensor
    tokens: Tensor
    token_scores: Tensor
    rows: Tensor
    longest: Tensor
    numbers: Tensor

    @classmethod
    def begin(cls, longest: Tensor) -> "Live":
        """Start with one empty hypothesis per sentence."""
        count, device = len(longest), longest.device
        nothing = torch.zeros(count, 1, 0, device=device)
        none = nothing.long()
        numbers = torch.arange(count, device=device)
        return cls(nothing.sum(-1), none, nothing, none, longest, numbers)

    @property
    def length(self) -> int:
        """The number of tokens so far, T."""
        return self.tokens.shape[2]

    @property
    def last(self) -> Tensor:
        """The last token of each hypothesis, [B x K]."""
        if not self.length:
            return self.numbers.new_full((len(self.numbers),), BOS_ID)
        return self.tokens[:, :, -1].flatten()

    def grow(self, chosen: Candidates, log_probs: Tensor) -> "Live":
        """Return the hypotheses extended by the chosen continuations.

        Args:
            chosen: the continuations, [B, K'].
            log_probs: log-probabilities of all tokens at this step, [B, K, V].
        """
        count, beam, vocab_size = log_probs.shape
        at = torch.arange(count, device=log_probs.device)[:, None]  # [B, 1]
        row = at * beam + chosen.parent  # [B, K']
        token_score = log_probs.flatten()[row * vocab_size + chosen.token]

        def followed(values: Tensor, new: Tensor) -> Tensor:
            return torch.cat([values[at, chosen.parent], new[..., None]], 2)

        return replace(
            self,
            scores=chosen.score,
            tokens=followed(self.tokens, chosen.token),
            token_scores=followed(self.token_scores, token_score),
            rows=followed(self.rows, row),
        )

    def keep(self, sentences: Tensor) -> "Live":
        """Return the hypotheses of the sentences at these indices, [B']."""
        return Live(
            self.scores.index_select(0, sentences),
            self.tokens.index_select(0, sentences),
            self.token_scores.index_select(0, sentences),
            self.rows.index_select(0, sentences),
            self.longest.index_select(0, sentences),
            self.numbers.index_select(0, sentences),
        )


def makes_host_wait(device: torch.device) -> bool:
    """Whether the host waits for a device when it reads a value, or needs one to shape a result."""
    return device.type != "cpu"
