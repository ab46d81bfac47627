"""The whole model: `encode`, `start` and `step` for search, `forward` for training."""

from dataclasses import replace
from typing import Literal, cast

import torch
from torch import Tensor, nn

from s2scli.devices import choose_device
from s2scli.errors import ConfigError
from s2scli.model.frontend.tokens import TokenFrontend
from s2scli.model.kernels.linear import make_linear
from s2scli.model.output.plain import PlainOutput
from s2scli.model.settings import ModelSettings
from s2scli.model.states import (
    DecoderState,
    DecoderStep,
    EncoderOutput,
    Gaussian,
    ModelOutput,
    Pairs,
)
from s2scli.sides import Input
from s2scli.special_ids import PAD_ID

Side = Literal["source", "target"]


class Seq2Seq(nn.Module):
    """An encoder-decoder model: its input is token ids, audio or images, its output token ids.

    Args:
        settings: the settings of each part.
        reads: the kind of the source; an int is the size of its vocabulary.
        target_vocab_size: size of the target vocabulary.
        joint: whether source and target share one vocabulary.

    Raises:
        ConfigError: the parts cannot be combined.
    """

    def __init__(
        self,
        settings: ModelSettings,
        reads: Input,
        target_vocab_size: int,
        *,
        joint: bool,
    ) -> None:
        super().__init__()
        self.source = settings.source.build(reads, PAD_ID)
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
        self.output = settings.output.build(
            self.decoder, memory_dim, self.target.output_dim, reads, target_vocab_size
        )
        self.vocab_size = target_vocab_size
        self._check_ctc(settings)
        self.ctc = make_linear(memory_dim, target_vocab_size) if settings.ctc_weight else None
        self.ctc_weight = settings.ctc_weight
        self._tie(settings, joint)

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """The numbers of layers with attention and of heads per layer; None without attention.

        There are A = layers x heads attention maps.
        """
        shape: tuple[int, int] | None = self.decoder.attention_shape
        return shape

    @property
    def has_ctc(self) -> bool:
        """Whether the encoder has a CTC layer."""
        return self.ctc is not None

    def encode(self, source: Tensor, lengths: Tensor, scale: Tensor | None = None) -> EncoderOutput:
        """Encode sources.

        Args:
            source: token ids [B, S], samples [B, N] or columns of pixels [B, W, H x C]; for a model
                that copies, token ids and the target ids of their copies [B, S, 2].
            lengths: the number of real tokens, samples or columns in each source, [B].
            scale: factors of the embeddings, [B, S], to measure the effect of each; None is 1.
        """
        read, copies = self.output.split(source)
        embedded, sizes = self.source.read(read, lengths)
        if scale is not None:
            embedded = embedded * scale[..., None]
        encoded = cast(EncoderOutput, self.encoder(embedded, sizes))
        return encoded if copies is None else replace(encoded, copies=copies)

    def positions(self, lengths: Tensor) -> Tensor:
        """Return the number of encoder states for sources of these lengths, [B]."""
        positions: Tensor = self.source.positions(lengths)
        return positions

    def ctc_log_probs(self, encoder_output: EncoderOutput) -> Tensor:
        """Return log-probabilities of the tokens at each encoder state, [B, S, V].

        The padding token is the blank (Graves et al. 2006, section 3).
        """
        assert self.ctc is not None, "a model with model.ctc_weight has this layer"
        logits: Tensor = self.ctc(encoder_output.memory)
        return logits.float().log_softmax(-1)

    def start(self, encoder_output: EncoderOutput) -> DecoderState:
        """Return the decoder's state before the first token, one row for each sentence."""
        state = self.decoder.start(encoder_output, self.connection(encoder_output))
        return self.output.begin(state, encoder_output)

    def token_loss(self, hidden: Tensor, target: Tensor, smoothing: float) -> Tensor:
        """Return the label-smoothed cross-entropy summed over tokens, in nats, as a scalar.

        The full matrices of logits and of their gradients are never in memory.

        Args:
            hidden: the input of the output layer, [tokens, D].
            target: the reference tokens, [tokens].
            smoothing: the share of probability that is spread evenly over the vocabulary.
        """
        return self.output.token_loss(hidden, target, smoothing)

    @property
    def token_rows(self) -> dict[str, Side]:
        """The names of the weights with one row per token, and the side of their vocabulary."""
        front_ends = cast(dict[Side, TokenFrontend], {"source": self.source, "target": self.target})
        rows: dict[str, Side] = {
            f"{side}.{name}": side
            for side, front_end in front_ends.items()
            for name in front_end.rows()
        }
        outputs = ["output.weight", "output.bias"] + ["ctc.weight", "ctc.bias"] * bool(self.ctc)
        return {**rows, **dict.fromkeys(outputs, "target")}

    @property
    def copies(self) -> bool:
        """Whether the model can copy tokens of the source."""
        return self.output.copies

    @property
    def has_prior(self) -> bool:
        """Whether the decoder starts from a latent vector that can be sampled from a prior."""
        return bool(self.connection.has_prior)

    @property
    def code_dim(self) -> int:
        """Width of the source's code; 0 if the decoder also attends to the source."""
        return 0 if self.attention_shape else int(self.connection.code_dim)

    def code(self, source: Tensor, lengths: Tensor) -> Tensor:
        """Return the code of each source: the one vector that represents it, [B, code_dim].

        Args:
            source: source ids, [B, S].
            lengths: the number of real tokens in each source, [B].
        """
        code: Tensor = self.connection.code(self.encode(source, lengths))
        return code

    def posterior(self, source: Tensor, lengths: Tensor) -> Gaussian:
        """Return the posterior of each source's latent vector; the model must have a prior."""
        latent: Gaussian | None = self.connection(self.encode(source, lengths)).latent
        assert latent is not None, "a model with a prior has a posterior"
        return latent

    def start_from(self, code: Tensor) -> DecoderState:
        """Return the decoder's state before the first token, given only a code.

        Args:
            code: the `code` of each source, or any other vectors, [B, code_dim].
        """
        unseen = code.new_zeros(len(code), 1, self.encoder.memory_dim)
        nothing = EncoderOutput(unseen, unseen[..., 0] == 0, (), padded=False)
        state: DecoderState = self.decoder.start(nothing, self.connection.connect(code))
        return state

    def read_target(self, code: Tensor, target_input: Tensor) -> Tensor:
        """Decode all target positions at once, given only a code; return [B, T, D].

        Args:
            code: see `start_from`, [B, code_dim].
            target_input: the decoder's input tokens, [B, T].
        """
        output = self.decoder(self.target(target_input), self.start_from(code), attention=False)
        hidden: Tensor = output.hidden
        return hidden

    def narrowed_output(self, tokens: Tensor) -> PlainOutput:
        """Return the output layer of some tokens [U] alone, for `step`; the model must not copy."""
        return cast(PlainOutput, self.output).narrowed(tokens)

    def step(
        self,
        token_ids: Tensor,
        state: DecoderState,
        *,
        attention: bool = False,
        output: PlainOutput | None = None,
    ) -> DecoderStep:
        """Read one token per row and predict the next.

        Args:
            token_ids: the token of each row, [N].
            state: the state before these tokens.
            attention: whether to return attention weights.
            output: the `narrowed_output` of U tokens, for logits [N, U]; None computes all.
        """
        embedded = self.target(self.output.readable(token_ids[:, None]))
        found = self.output.decode(self.decoder, embedded, state, attention=attention)
        hidden, weights = found.hidden[:, 0], found.attention_weights
        return DecoderStep(
            self.logits(hidden) if output is None else output.logits(hidden),
            found.state,
            None if weights is None else weights[:, 0],
            self.output.p_copy(hidden),
        )

    def forward(
        self, batch: Pairs, *, attention: bool = False, scale: Tensor | None = None
    ) -> ModelOutput:
        """Decode all target positions of a batch at once (teacher forcing).

        `scale` are factors of the source embeddings, as for `encode`.
        """
        encoded = self.encode(batch.source, batch.source_lengths, scale)
        connected = self.connection(encoded)
        embedded = self.target(self.output.readable(batch.target_input))
        state = self.output.begin(self.decoder.start(encoded, connected), encoded)
        output = self.output.decode(self.decoder, embedded, state, attention=attention)
        return ModelOutput(
            output.hidden,
            output.attention_weights,
            connected.latent,
            encoded,
            self.output.p_copy(output.hidden),
        )

    def logits(self, hidden: Tensor) -> Tensor:
        """Apply the output layer: [..., D] to [..., V]; of a model that copies, [..., V + S]."""
        return self.output.logits(hidden)

    def _check_sight(self, settings: ModelSettings) -> None:
        """Check that the decoder sees the source, and that it uses the connection."""
        connects = settings.connection.kind != "none"
        connected = (settings.decoder.state_shape.parts and connects) or self.connection.vector_dim
        if not (connected or self.attention_shape):
            raise ConfigError(
                'model.attention.kind: with "none" and this model.connection, the decoder never '
                "sees the source; choose another attention kind, or a connection with "
                "every_step = true"
            )
        if connects and not connected:
            raise ConfigError(
                "model.connection.kind: the connection has no effect, because a decoder of kind "
                f"{settings.decoder.kind} has no initial state; choose every_step = true, or none"
            )

    def _check_ctc(self, settings: ModelSettings) -> None:
        """Check that no target is a token that the CTC layer lacks."""
        if settings.ctc_weight and self.copies:
            raise ConfigError(
                "model.ctc_weight: a CTC layer writes only tokens of its vocabulary, and "
                "model.output.kind is pointer; choose ctc_weight = 0, or output plain"
            )

    def _tie(self, settings: ModelSettings, joint: bool) -> None:
        """Share embedding tables according to `tie_embeddings`."""
        tie, vectors = settings.tie_embeddings, self.target.vectors
        same_width = self.source.output_dim == self.target.output_dim
        fits_source = joint and same_width and self.source.vectors is not None
        fits_output = vectors is not None and self.decoder.output_dim == self.target.output_dim
        if tie == "auto":
            tie = "none" if not fits_output else "all" if fits_source else "target"
        if tie == "none":
            return
        if vectors is None or not fits_output:
            raise ConfigError(
                f"model.tie_embeddings: the output layer reads {self.decoder.output_dim} units but "
                f"model.target.embedding_dim is {self.target.output_dim}; choose "
                f"model.target.embedding_dim = {self.decoder.output_dim}, or none"
            )
        self.output.weight = vectors
        if tie == "all":
            if not fits_source:
                raise ConfigError(
                    "model.tie_embeddings: all needs a joint vocabulary, and source and target "
                    "embeddings of equal width; choose target"
                )
            self.source.share(vectors)


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters; tied parameters count once."""
    return sum(weight.numel() for weight in model.parameters())


def pick_device(name: str) -> torch.device:
    """Return the device with this name; `auto` chooses a GPU if one is available.

    Raises:
        ConfigError: the name is unknown, or the device is not available.
    """
    return torch.device(choose_device(name, torch.cuda.device_count(), "PyTorch"))
