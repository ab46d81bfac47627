"""The settings that both sides of a Transformer share, and the layers they make."""

from torch import nn

from s2scli.errors import ConfigError
from s2scli.model.attention.multi_head import check_heads
from s2scli.model.transformer.feed_forward import Activation, FeedForward
from s2scli.model.transformer.positions import Positions
from s2scli.model.transformer.residual import NORMS, Norm, Residual
from s2scli.model.transformer.self_attention import SelfAttention
from s2scli.settings import Settings, setting


class TransformerSettings(Settings):
    """The sizes and choices of a stack of Transformer layers."""

    model_dim: int = setting(256, "Width of the states.", "units", ge=1, le=16384)
    num_layers: int = setting(3, "Layers.", "layers", ge=1, le=64)
    num_heads: int = setting(4, "Heads of self-attention.", "heads", ge=1, le=256)
    ffn_dim: int = setting(
        1024, "Inner width of the feed-forward network.", "units", ge=1, le=65536
    )
    activation: Activation = setting(
        "relu", "Activation of the feed-forward network: relu, gelu or swiglu (Shazeer 2020)."
    )
    norm: Norm = setting("layer", "LayerNorm (Ba et al. 2016) or RMSNorm (Zhang & Sennrich 2019).")
    norm_first: bool = setting(
        True,
        "Norm before each sublayer, with one more at the end (Xiong et al. 2020); false is after "
        "it (Vaswani et al. 2017).",
    )
    positions: Positions = setting(
        "sinusoidal",
        "sinusoidal (Vaswani et al. 2017), learned (Gehring et al. 2017) or rotary (Su et al. "
        "2021).",
    )
    max_positions: int = setting(
        1024, "Learned positions; later tokens share the last one.", "tokens", ge=1, le=1_000_000
    )
    dropout: float = setting(
        0.1, "Dropout on the input and on every sublayer.", "probability", ge=0.0, lt=1.0
    )
    attention_dropout: float = setting(
        0.0, "Dropout on the weights of self-attention.", "probability", ge=0.0, lt=1.0
    )
    ffn_dropout: float = setting(
        0.0, "Dropout inside the feed-forward network.", "probability", ge=0.0, lt=1.0
    )

    def check(self, section: str) -> None:
        """Refuse heads that do not fit.

        Raises:
            ConfigError: the width cannot be shared out, or rotary positions find no pairs.
        """
        check_heads(f"{section}.num_heads", self.num_heads, self.model_dim)
        if self.positions == "rotary" and self.model_dim // self.num_heads % 2:
            raise ConfigError(
                f"{section}.positions: rotary turns pairs of units, and a head has "
                f"{self.model_dim // self.num_heads}; choose another num_heads or sinusoidal"
            )

    def make_residual(self) -> Residual:
        """Return the residual connection of one sublayer."""
        return Residual(self.model_dim, self.norm, norm_first=self.norm_first, dropout=self.dropout)

    def make_self_attention(self) -> SelfAttention:
        """Return one layer's self-attention."""
        return SelfAttention(self.model_dim, self.num_heads, self.attention_dropout)

    def make_feed_forward(self) -> FeedForward:
        """Return one layer's feed-forward network."""
        return FeedForward(self.model_dim, self.ffn_dim, self.activation, self.ffn_dropout)

    def make_last_norm(self) -> nn.Module:
        """Return the norm after the last layer; with `norm_first = false` there is none."""
        return NORMS[self.norm](self.model_dim) if self.norm_first else nn.Identity()
