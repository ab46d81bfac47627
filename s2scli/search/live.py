"""What the parts of the search pass to each other: live hypotheses, and their continuations.

Axes: B sentences still searched, K hypotheses of each, T tokens written, C candidates, V tokens of
the vocabulary.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from s2scli.special_ids import BOS_ID

IMPOSSIBLE = float("-inf")


@dataclass(frozen=True)
class Candidates:
    """C continuations of each sentence's hypotheses.

    Attributes:
        score: sums of log-probabilities, -inf where there is none, [B, C].
        token: the token each appends, [B, C].
        parent: the hypothesis each continues, [B, C].
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
    """What one step has chosen.

    Attributes:
        ended: those that end here; a score of -inf is none, [B, C].
        live: those that are continued, [B, K].
    """

    ended: Candidates
    live: Candidates


@dataclass(frozen=True)
class Live:
    """The hypotheses that are being written, of the sentences still searched.

    Attributes:
        scores: sums of log-probabilities, -inf where there is no hypothesis, [B, K].
        tokens: what is written, [B, K, T].
        token_scores: the log-probability of each token, [B, K, T].
        rows: the row of the batch that each token's step had it in, [B, K, T].
        longest: tokens each sentence may have, the end token counted, [B].
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
        """Return one empty hypothesis for each sentence."""
        count, device = len(longest), longest.device
        nothing = torch.zeros(count, 1, 0, device=device)
        none = nothing.long()
        numbers = torch.arange(count, device=device)
        return cls(nothing.sum(-1), none, nothing, none, longest, numbers)

    @property
    def length(self) -> int:
        """Tokens written so far, T."""
        return self.tokens.shape[2]

    @property
    def last(self) -> Tensor:
        """The last token of each hypothesis, [B x K]."""
        if not self.length:
            return self.numbers.new_full((len(self.numbers),), BOS_ID)
        return self.tokens[:, :, -1].flatten()

    def grow(self, chosen: Candidates, log_probs: Tensor) -> "Live":
        """Return the hypotheses that a step has chosen.

        Args:
            chosen: which go on, and with what, [B, K'].
            log_probs: that the step gave to all tokens, [B, K, V].
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
        """Return the hypotheses of these sentences only, [B']."""
        return Live(
            self.scores.index_select(0, sentences),
            self.tokens.index_select(0, sentences),
            self.token_scores.index_select(0, sentences),
            self.rows.index_select(0, sentences),
            self.longest.index_select(0, sentences),
            self.numbers.index_select(0, sentences),
        )
