"""The whole model and its four verbs: encode, start, step, forward."""

from typing import cast

import torch
from torch import Tensor, nn

from s2scli.devices import choose_device
from s2scli.errors import ConfigError
from s2scli.model.layers.linear import Linear
from s2scli.model.settings import ModelSettings
from s2scli.model.states import (
    DecoderState,
    DecoderStep,
    EncoderOutput,
    ModelOutput,
    Pairs,
)
from s2scli.special_ids import PAD_ID


class Seq2Seq(nn.Module):
    """An encoder-decoder over token ids.

    Args:
        settings: its parts.
        source_vocab_size: tokens of the source.
        target_vocab_size: tokens of the target.
        joint: whether source and target share one vocabulary.

    Raises:
        ConfigError: parts that do not fit together.
    """

    def __init__(
        self,
        settings: ModelSettings,
        source_vocab_size: int,
        target_vocab_size: int,
        *,
        joint: bool,
    ) -> None:
        super().__init__()
        self.source = settings.source.build(source_vocab_size, PAD_ID)
        self.target = settings.target.build(target_vocab_size, PAD_ID)
        self.encoder = settings.encoder.build(self.source.output_dim)
        decoder = settings.decoder
        memory_dim = self.encoder.memory_dim
        self.connection = settings.connection.build(
            self.encoder.final_shape, memory_dim, decoder.state_shape
        )
        self.decoder = decoder.build(
            self.target.output_dim, memory_dim, self.connection.vector_dim, settings.attention
        )
        self._check_sight(settings)
        self.output = Linear(self.decoder.output_dim, target_vocab_size)
        self._tie(settings, joint)

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """Layers and heads that attend, A = layers x heads maps in all; None without attention."""
        shape: tuple[int, int] | None = self.decoder.attention_shape
        return shape

    def encode(self, source: Tensor, lengths: Tensor) -> EncoderOutput:
        """Encode source ids [B, S] of these lengths [B]."""
        return cast(EncoderOutput, self.encoder(self.source(source), lengths))

    def start(self, encoder_output: EncoderOutput) -> DecoderState:
        """Return the decoder's state before the first token, one row for each sentence."""
        state: DecoderState = self.decoder.start(encoder_output, self.connection(encoder_output))
        return state

    @property
    def code_dim(self) -> int:
        """Width of the vector that is all a decoder knows of its source; 0 where there is none."""
        return 0 if self.attention_shape else int(self.connection.code_dim)

    def start_from(self, code: Tensor) -> DecoderState:
        """Return the decoder's state before the first token where a vector is all it knows.

        Args:
            code: what `connection.code` makes of a source, or another vector, [B, code_dim].
        """
        unseen = code.new_zeros(len(code), 1, self.encoder.memory_dim)
        nothing = EncoderOutput(unseen, unseen[..., 0] == 0, (), padded=False)
        state: DecoderState = self.decoder.start(nothing, self.connection.connect(code))
        return state

    def step(
        self, token_ids: Tensor, state: DecoderState, *, with_attention: bool = False
    ) -> DecoderStep:
        """Read one token [N] in each row and say what may come next."""
        embedded = self.target(token_ids[:, None])
        output = self.decoder(embedded, state, with_attention=with_attention)
        weights = output.attention_weights
        return DecoderStep(
            self.logits(output.hidden[:, 0]),
            output.state,
            None if weights is None else weights[:, 0],
        )

    def forward(self, batch: Pairs, *, with_attention: bool = False) -> ModelOutput:
        """Read every target of a batch at once (teacher forcing)."""
        encoded = self.encode(batch.source, batch.source_lengths)
        connected = self.connection(encoded)
        embedded = self.target(batch.target_input)
        state = self.decoder.start(encoded, connected)
        output = self.decoder(embedded, state, with_attention=with_attention)
        return ModelOutput(output.hidden, output.attention_weights, connected.latent)

    def logits(self, hidden: Tensor) -> Tensor:
        """The output layer: [..., D] to [..., V]."""
        logits: Tensor = self.output(hidden)
        return logits

    def _check_sight(self, settings: ModelSettings) -> None:
        """Refuse a decoder that would know nothing of the source, and a connection to nothing."""
        connects = settings.connection.kind != "none"
        connected = (settings.decoder.state_shape.parts and connects) or self.connection.vector_dim
        if not (connected or self.attention_shape):
            raise ConfigError(
                "model.attention.kind: none leaves the decoder with no sight of the source, as "
                "model.connection shows it nothing; choose an attention, or another connection, "
                "with every_step = true"
            )
        if connects and not connected:
            raise ConfigError(
                "model.connection.kind: whatever it makes is never read, as a decoder of kind "
                f"{settings.decoder.kind} has no first state; choose every_step = true, or none"
            )

    def _tie(self, settings: ModelSettings, joint: bool) -> None:
        """Share embedding tables as the settings say."""
        tie = settings.tie_embeddings
        same_width = settings.source.embedding_dim == settings.target.embedding_dim
        fits_output = self.decoder.output_dim == self.target.output_dim
        if tie == "auto":
            tie = "none" if not fits_output else "all" if joint and same_width else "target"
        if tie == "none":
            return
        if not fits_output:
            raise ConfigError(
                f"model.tie_embeddings: the output layer reads {self.decoder.output_dim} units and "
                f"model.target.embedding_dim is {self.target.output_dim}; make them equal "
                "(model.decoder.readout_dim), or choose none"
            )
        self.output.weight = self.target.table.weight
        if tie == "all":
            if not (joint and same_width):
                raise ConfigError(
                    "model.tie_embeddings: all needs a joint vocabulary and equal widths of source "
                    "and target embeddings; choose target"
                )
            self.source.table.weight = self.target.table.weight


def count_parameters(model: nn.Module) -> int:
    """Return the number of weights, tied ones counted once."""
    return sum(weight.numel() for weight in model.parameters())


def pick_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` is a GPU where there is one.

    Raises:
        ConfigError: no such device, or it is not there.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return torch.device(choose_device(name, gpus, "PyTorch"))
