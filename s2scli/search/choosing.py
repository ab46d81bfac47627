"""The interface of a way to choose: which continuations live on, and which are finished."""

from typing import Protocol

from torch import Tensor

from s2scli.search.live import Chosen, Live


class Chooser(Protocol):
    """A way to choose among what may follow: a beam is one, drawing at random another."""

    def choose(self, log_probs: Tensor, live: Live) -> Chosen:
        """Return what ends here, and what is written on.

        Args:
            log_probs: of the next token, [B, K, V]; impossible ones are -inf.
            live: the hypotheses that they follow.
        """
        ...
