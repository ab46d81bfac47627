"""The interface that chooses which hypotheses end and which continue."""

from typing import Protocol

from torch import Tensor

from s2scli.search.live import Chosen, Live


class Chooser(Protocol):
    """Chooses among the continuations of all hypotheses; `Beam` and `Sampler` implement it."""

    def choose(self, log_probs: Tensor, live: Live) -> Chosen:
        """Return the hypotheses that end at this step, and those that continue.

        Args:
            log_probs: log-probabilities of the next token, [B, K, V]; -inf for forbidden ones.
            live: the hypotheses to extend.
        """
        ...
