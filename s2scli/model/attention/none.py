"""No attention: the decoder sees the source only through the connection."""

from typing import Literal

from s2scli.settings import Settings, setting


class NoAttentionSettings(Settings):
    """No attention, as in the fixed-vector models before Bahdanau et al. 2015."""

    kind: Literal["none"] = setting("none", "No attention.")

    def build(self, query_dim: int, memory_dim: int) -> None:
        """Return None: there is nothing to build."""
        return
