"""The interface of a chooser: which continuations live on, and which are finished."""

from typing import Protocol

from torch import Tensor

from s2scli.search.live import Chosen, Live


class Chooser(Protocol):
    """Chooses among the continuations of all hypotheses: a beam does, and so does sampling."""

    def choose(self, log_probs: Tensor, live: Live) -> Chosen:
        """Return the hypotheses that end here, and those that are continued.

        Args:
            log_probs: of the next token, [B, K, V]; impossible ones are -inf.
            live: the hypotheses that they continue.
        """
        ...
