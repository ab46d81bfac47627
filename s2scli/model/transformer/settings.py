"""Settings shared by the Transformer encoder and decoder, and the layers built from them."""

from torch import nn

from s2scli.errors import ConfigError
from s2scli.model.attention.multi_head import check_heads
from s2scli.model.transformer.feed_forward import Activation, FeedForward
from s2scli.model.transformer.positions import Positions
from s2scli.model.transformer.residual import EPSILONS, NORMS, Norm, Residual
from s2scli.model.transformer.self_attention import SelfAttention
from s2scli.settings import Settings, setting


class StackSettings(Settings):
    """Settings of a stack of Transformer layers, whatever reads the other tokens in them."""

    model_dim: int = setting(256, "Width of the states.", "units", ge=1, le=16384)
    num_layers: int = setting(3, "Number of layers.", "layers", ge=1, le=64)
    ffn_dim: int = setting(
        1024, "Inner width of the feed-forward networks.", "units", ge=1, le=65536
    )
    activation: Activation = setting(
        "relu",
        "Activation of the feed-forward networks: relu, gelu, silu (swish) or swiglu (Shazeer "
        "2020).",
    )
    norm: Norm = setting(
        "layer",
        "Normalization: layer (LayerNorm; Ba et al. 2016) or rms (RMSNorm; Zhang & Sennrich 2019).",
    )
    norm_epsilon: float | None = setting(
        None,
        "Added to the variance in each norm; if not given, 1e-5 (layer) or 1.2e-7 (rms).",
        gt=0.0,
        le=1.0,
    )
    norm_first: bool = setting(
        True,
        "Normalize before each sublayer and once after the last layer (Xiong et al. 2020); false "
        "normalizes after each sublayer (Vaswani et al. 2017).",
    )
    positions: Positions = setting(
        "sinusoidal",
        "Position encoding: sinusoidal (Vaswani et al. 2017), learned (Gehring et al. 2017), "
        "rotary (Su et al. 2021) or grid (learned rows and columns, for the tokens of a picture).",
    )
    max_positions: int = setting(
        1024,
        "Number of learned positions; tokens beyond it share the last one.",
        "tokens",
        ge=1,
        le=1_000_000,
    )
    grid_columns: int = setting(
        0,
        "With positions grid: tokens in a row of the picture; s2s train sets it for target "
        "pictures.",
        "tokens",
        ge=0,
        le=16_384,
    )
    dropout: float = setting(
        0.1,
        "Dropout on the input and on the output of every sublayer.",
        "probability",
        ge=0.0,
        lt=1.0,
    )
    ffn_dropout: float = setting(
        0.0, "Dropout inside the feed-forward networks.", "probability", ge=0.0, lt=1.0
    )

    @property
    def head_dim(self) -> int:
        """Width of a self-attention head; 0 without self-attention."""
        return 0

    def check(self, section: str) -> None:
        """Check that the settings match.

        Args:
            section: path of these settings, for messages.

        Raises:
            ConfigError: a grid has no columns.
        """
        if self.positions == "grid" and not self.grid_columns:
            raise ConfigError(
                f"{section}.positions: grid needs {section}.grid_columns, the number of tokens in "
                "a row; found 0"
            )

    def make_residual(self) -> Residual:
        """Return a residual connection for one sublayer."""
        return Residual(self.make_norm(), norm_first=self.norm_first, dropout=self.dropout)

    def make_feed_forward(self) -> FeedForward:
        """Return the feed-forward network of one layer."""
        return FeedForward(self.model_dim, self.ffn_dim, self.activation, self.ffn_dropout)

    def make_last_norm(self) -> nn.Module:
        """Return the normalization after the last layer: the identity if not `norm_first`."""
        return self.make_norm() if self.norm_first else nn.Identity()

    def make_norm(self) -> nn.Module:
        """Return a norm of the states."""
        return NORMS[self.norm](self.model_dim, eps=self.epsilon)

    @property
    def epsilon(self) -> float:
        """What is added to the variance in each norm."""
        return EPSILONS[self.norm] if self.norm_epsilon is None else self.norm_epsilon


class TransformerSettings(StackSettings):
    """Settings of a stack of Transformer layers with self-attention."""

    num_heads: int = setting(4, "Number of self-attention heads.", "heads", ge=1, le=256)
    attention_dropout: float = setting(
        0.0, "Dropout on the self-attention weights.", "probability", ge=0.0, lt=1.0
    )

    @property
    def head_dim(self) -> int:
        """Width of a self-attention head."""
        return self.model_dim // self.num_heads

    def check(self, section: str) -> None:
        """Check that the settings match.

        Args:
            section: path of these settings, for messages.

        Raises:
            ConfigError: the number of heads does not divide the width, the heads have an odd
                width with rotary positions, or a grid has no columns.
        """
        check_heads(f"{section}.num_heads", self.num_heads, self.model_dim)
        if self.positions == "rotary" and self.head_dim % 2:
            raise ConfigError(
                f"{section}.positions: rotary needs heads of even width; found a head width of "
                f"{self.head_dim}; choose another num_heads or sinusoidal"
            )
        super().check(section)

    def make_self_attention(self) -> SelfAttention:
        """Return the self-attention of one layer."""
        return SelfAttention(self.model_dim, self.num_heads, self.attention_dropout)
