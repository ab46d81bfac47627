"""No attention: the decoder sees only what the connection gives it."""

from typing import Literal

from s2scli.settings import Settings, setting


class NoAttentionSettings(Settings):
    """The fixed-vector models before Bahdanau et al. 2015."""

    kind: Literal["none"] = setting("none", "No attention.")

    def build(self, query_dim: int, memory_dim: int) -> None:
        """There is nothing to build."""
        return
