"""Multi-head attention: several scaled dot-product attentions in parallel."""

from typing import Literal

from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.attention.memory import Attended, AttendedMemory
from s2scli.model.kernels.attention import attend_heads, head_weights, join_heads, split_heads
from s2scli.model.kernels.in_place import laid_out_for_steps
from s2scli.model.kernels.linear import make_linear
from s2scli.settings import Settings, setting


class MultiHeadAttentionSettings(Settings):
    """Multi-head attention: Concat(head_1, ..., head_H) W (Vaswani et al. 2017, 3.2.2)."""

    kind: Literal["multi_head"] = setting(
        "multi_head", "Multi-head attention (Vaswani et al. 2017)."
    )
    num_heads: int = setting(
        4,
        "Number of attention heads; must divide the decoder's width.",
        "heads",
        ge=1,
        le=256,
    )
    dropout: float = setting(
        0.0, "Dropout on the attention weights.", "probability", ge=0.0, lt=1.0
    )

    def build(self, query_dim: int, memory_dim: int) -> "MultiHeadAttention":
        """Return the attention module for queries and a memory of these widths.

        Raises:
            ConfigError: the number of heads does not divide the decoder's width.
        """
        check_heads("model.attention.num_heads", self.num_heads, query_dim)
        return MultiHeadAttention(query_dim, memory_dim, self.num_heads, self.dropout)


class MultiHeadAttention(nn.Module):
    """Multi-head attention whose contexts have the width of the queries."""

    covers = False

    def __init__(self, query_dim: int, memory_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.output_dim, self.dropout = num_heads, query_dim, dropout
        self.query = make_linear(query_dim, query_dim)
        self.key_value = make_linear(memory_dim, query_dim, parts=2)
        self.output = make_linear(query_dim, query_dim)

    def prepare(self, memory: Tensor, mask: Tensor | None) -> AttendedMemory:
        """Compute keys and values [B, H, S, K] of a memory [B, S, D], once per sentence."""
        keys, values = (
            split_heads(part, self.num_heads) for part in self.key_value(memory).chunk(2, -1)
        )
        return AttendedMemory(laid_out_for_steps(keys), laid_out_for_steps(values), mask)

    def attend(self, query: Tensor, memory: AttendedMemory, *, attention: bool) -> Attended:
        """Return contexts, and weights if requested, for queries [N, T, Dq]."""
        rows, steps, width = query.shape
        sentences = memory.keys.shape[0]
        grouped = self.query(query).view(sentences, -1, width)  # [B, (N / B) x T, Dq]
        queries = split_heads(grouped, self.num_heads)  # [B, H, Q, K]
        mask = None if memory.mask is None else memory.mask[:, None, None, :]
        found = attend_heads(
            queries,
            memory.keys,
            memory.values,
            mask,
            dropout=self.dropout if self.training else 0.0,
        )
        context = self.output(join_heads(found)).view(rows, steps, -1)
        if not attention:
            return Attended(context, None)
        weights = head_weights(queries, memory.keys, mask).transpose(1, 2)  # [B, Q, H, S]
        return Attended(context, weights.reshape(rows, steps, self.num_heads, -1))


def check_heads(name: str, num_heads: int, width: int) -> None:
    """Check that the number of heads divides the width.

    Args:
        name: path of the setting, for the message.
        num_heads: the number of heads.
        width: the width to divide among them.

    Raises:
        ConfigError: `width` is not a multiple of `num_heads`.
    """
    if width % num_heads:
        raise ConfigError(
            f"{name}: {num_heads} does not divide the width {width}; choose a divisor of the width"
        )
