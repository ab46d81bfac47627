"""The Transformer encoder."""

from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.model.states import EncoderOutput, StateShape, length_mask
from s2scli.model.transformer.entrance import Entrance
from s2scli.model.transformer.settings import TransformerSettings
from s2scli.settings import setting


class TransformerEncoderSettings(TransformerSettings):
    """Settings of a Transformer encoder (Vaswani et al. 2017)."""

    kind: Literal["transformer"] = setting("transformer", "Transformer (Vaswani et al. 2017).")

    def build(self, input_dim: int) -> "TransformerEncoder":
        """Return the encoder for input vectors of width `input_dim`.

        Raises:
            ConfigError: the number of heads does not match the width or the positions.
        """
        self.check("model.encoder")
        return TransformerEncoder(self, input_dim)


class TransformerEncoder(nn.Module):
    """A stack of encoder layers; its final state is the memory at the last real token."""

    def __init__(self, settings: TransformerEncoderSettings, input_dim: int) -> None:
        super().__init__()
        self.memory_dim = settings.model_dim
        self.final_shape = StateShape(1, 1, settings.model_dim)
        self.entrance = Entrance(settings, input_dim)
        self.layers = nn.ModuleList(
            TransformerEncoderLayer(settings) for _ in range(settings.num_layers)
        )
        self.norm = settings.make_last_norm()

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Encode a batch.

        Args:
            embedded: source embeddings, [B, S, E].
            lengths: the number of real tokens in each source, [B], on the CPU.
        """
        width = embedded.shape[1]
        memory_mask = length_mask(lengths, width, embedded.device)
        padded = int(lengths.min()) < width
        states, angles = self.entrance(embedded, 0)
        for layer in self.layers:
            states = layer(states, memory_mask[:, None, None, :] if padded else None, angles)
        memory = self.norm(states)  # [B, S, D]
        rows = torch.arange(len(lengths), device=memory.device)
        last = memory[rows, lengths.to(memory.device, non_blocking=True) - 1]  # [B, D]
        return EncoderOutput(memory, memory_mask, (last[None],), padded)


class TransformerEncoderLayer(nn.Module):
    """Self-attention followed by a feed-forward network."""

    def __init__(self, settings: TransformerEncoderSettings) -> None:
        super().__init__()
        self.self_attention = settings.make_self_attention()
        self.around_self_attention = settings.make_residual()
        self.feed_forward = settings.make_feed_forward()
        self.around_feed_forward = settings.make_residual()

    def forward(self, states: Tensor, mask: Tensor | None, angles: Tensor | None) -> Tensor:
        """Apply the layer to states [B, S, D].

        Args:
            states: [B, S, D].
            mask: True at real tokens, [B, 1, 1, S]; None if there is no padding.
            angles: angles of rotary positions, [S, K / 2], or None.
        """
        around = self.around_self_attention
        states = around.after(states, self.self_attention(around.before(states), mask, angles))
        around = self.around_feed_forward
        return around.after(states, self.feed_forward(around.before(states)))
