"""Recurrent decoders: Elman, GRU and LSTM, with attention before or after the recurrence, or none.

R is the width of the readout, C the width of the connection's vector.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from s2scli.errors import ConfigError
from s2scli.model.attention.memory import Attended, AttendedMemory
from s2scli.model.decoder.settings import AttentionBuilder
from s2scli.model.kernels.dropout import Dropout
from s2scli.model.kernels.linear import Linear
from s2scli.model.kernels.steps import Steps
from s2scli.model.kernels.tanh import tanh
from s2scli.model.recurrence import (
    STATE_PARTS,
    Cell,
    make_recurrence,
    pack_state,
    unpack_state,
)
from s2scli.model.states import Connected, DecoderOutput, EncoderOutput, StateShape, beam_rows
from s2scli.model.transformer.positions import GridPositions
from s2scli.settings import Settings, setting

MAX_POSITIONS = 1024  # tokens of a picture; rows beyond them share the last vector


class RecurrentDecoderSettings(Settings):
    """Settings of a recurrent decoder."""

    kind: Cell = setting("gru", "Recurrent cell: elman (simple tanh), gru or lstm.")
    model_dim: int = setting(256, "Width of the state.", "units", ge=1, le=16384)
    num_layers: int = setting(1, "Number of layers.", "layers", ge=1, le=64)
    dropout: float = setting(
        0.0, "Dropout between the layers and on the readout.", "probability", ge=0.0, lt=1.0
    )
    attend: Literal["before", "after"] = setting(
        "after",
        "When to attend: before the recurrence, with the previous state, so that the context is an "
        "input of the recurrence (Bahdanau et al. 2015); or after it, with the new state (Luong et "
        "al. 2015).",
    )
    input_feeding: bool = setting(
        False, "Feed the previous readout to the next step (Luong et al. 2015, 3.3)."
    )
    readout: Literal["tanh", "maxout", "state"] = setting(
        "tanh",
        "Input of the output layer: a tanh layer (Luong et al. 2015, eq. 5) or a maxout layer "
        "(Bahdanau et al. 2015, A.2.2) over the state, the context and the connection's vector, "
        "or the state itself.",
    )
    deep_output: bool = setting(
        False,
        "Also feed the embedding of the last token to the readout (Pascanu et al. 2014; Bahdanau "
        "et al. 2015).",
    )
    readout_dim: int | None = setting(
        None,
        "Width of the readout; if not given, the width of the target embeddings.",
        "units",
        ge=1,
        le=16384,
    )
    grid_columns: int = setting(
        0,
        "Add a learned vector for the row and one for the column of a target picture to each "
        "embedding: the number of tokens in a row of the picture; 0 adds none.",
        "tokens",
        ge=0,
        le=16_384,
    )

    @property
    def state_shape(self) -> StateShape:
        """The shape of the initial state, which the connection provides."""
        return StateShape(STATE_PARTS[self.kind], self.num_layers, self.model_dim)

    def build(
        self, input_dim: int, memory_dim: int, vector_dim: int, attention: AttentionBuilder
    ) -> "RecurrentDecoder":
        """Return the decoder.

        Args:
            input_dim: width of the target embeddings.
            memory_dim: width of the memory.
            vector_dim: width of the connection's vector; 0 if there is none.
            attention: the settings of the attention.

        Raises:
            ConfigError: a setting has no effect.
        """
        return RecurrentDecoder(self, input_dim, memory_dim, vector_dim, attention)

    def check(self, *, attends: bool) -> None:
        """Check that every setting has an effect.

        Args:
            attends: whether the model has attention.

        Raises:
            ConfigError: a setting has no effect.
        """
        if not attends and self.attend == "before":
            raise ConfigError(
                "model.decoder.attend: before needs attention, but model.attention.kind is "
                "none; choose a kind of attention, or attend = after"
            )
        if not attends and self.input_feeding:
            raise ConfigError(
                "model.decoder.input_feeding: true needs attention, but model.attention.kind is "
                "none; choose a kind of attention, or input_feeding = false"
            )
        if self.readout == "state":
            self._check_bare_readout(attends)

    def _check_bare_readout(self, attends: bool) -> None:
        """Refuse settings that have no effect when the readout is the state itself."""
        unseen = {
            "attend: after": attends and self.attend == "after",
            "input_feeding: true": self.input_feeding,
            "deep_output: true": self.deep_output,
            f"readout_dim: {self.readout_dim}": self.readout_dim is not None,
        }
        for choice, chosen in unseen.items():
            if chosen:
                raise ConfigError(
                    f"model.decoder.{choice} has no effect with model.decoder.readout = state, as "
                    "the output layer then reads only the recurrent state; choose readout = tanh "
                    "or maxout"
                )


@dataclass(frozen=True)
class RecurrentState:
    """The state of a recurrent decoder between steps.

    Attributes:
        hidden: the recurrent state, each part [L, N, D].
        readout: the previous readout for input feeding, [N, R], or None.
        attended: the prepared memory, one row per sentence; None without attention.
        vector: the connection's vector for every step, [B, C], or None.
        sentences: the number of sentences, B.
        coverage: the attention that each row has paid so far, [N, S]; None if its attention does
            not read it.
        position: the number of tokens read so far.
    """

    hidden: tuple[Tensor, ...]
    readout: Tensor | None
    attended: AttendedMemory | None
    vector: Tensor | None
    sentences: int
    coverage: Tensor | None = None
    position: int = 0

    def reorder(self, indices: Tensor) -> "RecurrentState":
        """Return the state of the rows with these indices; the memory is unchanged."""
        return replace(
            self,
            hidden=tuple(part.index_select(1, indices) for part in self.hidden),
            readout=None if self.readout is None else self.readout.index_select(0, indices),
            coverage=None if self.coverage is None else self.coverage.index_select(0, indices),
        )

    def keep(self, sentences: Tensor) -> "RecurrentState":
        """Return the state of the sentences with these indices only."""
        beam = self.hidden[0].shape[1] // self.sentences
        return replace(
            self.reorder(beam_rows(sentences, beam)),
            attended=None if self.attended is None else self.attended.keep(sentences),
            vector=None if self.vector is None else self.vector.index_select(0, sentences),
            sentences=len(sentences),
        )


class RecurrentDecoder(nn.Module):
    """A recurrent decoder.

    If neither the context nor the readout feeds the recurrence, and attention does not read its
    coverage, T steps run in one fused call.
    """

    def __init__(
        self,
        settings: RecurrentDecoderSettings,
        input_dim: int,
        memory_dim: int,
        vector_dim: int,
        attention: AttentionBuilder,
    ) -> None:
        super().__init__()
        self.attention = attention.build(settings.model_dim, memory_dim)
        settings.check(attends=self.attention is not None)
        self.attention_shape = None if self.attention is None else (1, self.attention.num_heads)
        self.attends_before = self.attention is not None and settings.attend == "before"
        self.covers = self.attention is not None and self.attention.covers
        self.feeds_readout = settings.input_feeding
        self.deep_output = settings.deep_output
        context_dim = 0 if self.attention is None else self.attention.output_dim
        self.readout: nn.Module
        if settings.readout == "state":
            self.readout, self.output_dim = nn.Identity(), settings.model_dim
        else:
            self.output_dim = settings.readout_dim or input_dim
            seen = settings.model_dim + context_dim + vector_dim
            seen += input_dim if settings.deep_output else 0
            self.readout = READOUTS[settings.readout](seen, self.output_dim)
        self.sees_state_only = settings.readout == "state"
        self.recurrence = make_recurrence(
            settings.kind,
            input_dim
            + vector_dim
            + (context_dim if self.attends_before else 0)
            + (self.output_dim if self.feeds_readout else 0),
            settings.model_dim,
            settings.num_layers,
            bidirectional=False,
            dropout=settings.dropout,
        )
        self.steps = Steps(self.recurrence)
        columns = settings.grid_columns
        self.grid = GridPositions(columns, MAX_POSITIONS, input_dim) if columns else None
        self.dropout = Dropout(settings.dropout)

    def lay_out(self, *, int8: bool) -> None:
        """Pack the recurrent weights for later steps, quantized to int8 if `int8` is true."""
        self.steps.lay_out(int8=int8)

    def start(self, output: EncoderOutput, connected: Connected) -> RecurrentState:
        """Return the state before the first token, with one row per sentence."""
        hidden = connected.initial
        sentences = output.memory.shape[0]
        return RecurrentState(
            hidden,
            hidden[0].new_zeros(sentences, self.output_dim) if self.feeds_readout else None,
            None
            if self.attention is None
            else self.attention.prepare(output.memory, output.attention_mask),
            connected.vector,
            sentences,
            output.memory.new_zeros(output.memory.shape[:2]) if self.covers else None,
        )

    def forward(
        self, embedded: Tensor, state: RecurrentState, *, attention: bool
    ) -> DecoderOutput[RecurrentState]:
        """Run T steps.

        Args:
            embedded: embeddings of the input tokens, [N, T, E].
            state: the state before these tokens, for N rows.
            attention: whether to return attention weights.
        """
        if not (self.attends_before or self.feeds_readout or self.covers):
            return self._unroll(embedded, state, attention)
        outputs: list[DecoderOutput[RecurrentState]] = []
        for token in torch.split(embedded, 1, dim=1):  # [N, 1, E]
            step = self._unroll(token, state, attention)
            state = step.state
            outputs.append(step)
        weights = [step.attention_weights for step in outputs if step.attention_weights is not None]
        return DecoderOutput(
            torch.cat([step.hidden for step in outputs], dim=1),
            torch.cat(weights, dim=1) if weights else None,
            state,
        )

    def _unroll(
        self, embedded: Tensor, state: RecurrentState, attention: bool
    ) -> DecoderOutput[RecurrentState]:
        """Run T steps in one call.

        T is 1 if the context, the readout or the attention of a step feeds the next step.
        """
        rows, steps, _ = embedded.shape
        after_steps = state.position + steps
        if self.grid is not None:
            positions = torch.arange(state.position, after_steps, device=embedded.device)
            embedded = embedded + self.grid(positions)
        inputs = [embedded]
        read = None
        vector = self._vector(state, rows, steps)
        if vector is not None:
            inputs.append(vector)
        if self.attends_before:
            read = self._attend(state.hidden[0][-1][:, None], state, attention)
            inputs.append(read.context)
        if state.readout is not None:
            inputs.append(state.readout[:, None])
        recurrent, final = self._recur(torch.cat(inputs, dim=-1), state.hidden)
        if self.attention is not None and not self.attends_before:
            read = self._attend(recurrent, state, attention)
        context = None if read is None else read.context
        seen = [recurrent] if self.sees_state_only else [recurrent, context, vector]
        if self.deep_output and not self.sees_state_only:
            seen.append(embedded)
        hidden = self.dropout(self.readout(torch.cat([x for x in seen if x is not None], dim=-1)))
        after = replace(
            state,
            hidden=final,
            readout=hidden[:, -1] if self.feeds_readout else None,
            coverage=_more_covered(state.coverage, read),
            position=after_steps,
        )
        weights = read.weights if read is not None and attention else None
        return DecoderOutput(hidden, weights, after)

    def _recur(
        self, values: Tensor, hidden: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the outputs [N, T, D] for inputs [N, T, I], and the state after them."""
        if self.steps.can_take(values):
            after = self.steps(values[:, 0], hidden)
            return after[0][-1][:, None], after
        outputs, final = self.recurrence(values, pack_state(hidden))
        return outputs, unpack_state(final)

    def _attend(self, query: Tensor, state: RecurrentState, attention: bool) -> Attended:
        assert self.attention is not None and state.attended is not None
        memory = state.attended
        if self.covers:
            memory = replace(memory, coverage=state.coverage)
        return self.attention.attend(query, memory, attention=attention)

    def _vector(self, state: RecurrentState, rows: int, steps: int) -> Tensor | None:
        """Return the connection's vector for every row and step, [N, T, C], or None."""
        if state.vector is None:
            return None
        beam = rows // state.sentences
        return state.vector.repeat_interleave(beam, dim=0)[:, None].expand(-1, steps, -1)


def _more_covered(coverage: Tensor | None, read: Attended | None) -> Tensor | None:
    """Add the weights of a step to the attention paid so far (See et al. 2017, eq. 10), [N, S]."""
    if coverage is None:
        return None
    assert read is not None and read.weights is not None
    return coverage + read.weights[:, 0, 0]


class TanhReadout(nn.Module):
    """Readout tanh(W x) (Luong et al. 2015, eq. 5)."""

    def __init__(self, input_dim: int, output_dim: int) -> None:
        super().__init__()
        self.layer = Linear(input_dim, output_dim)

    def forward(self, seen: Tensor) -> Tensor:
        """Map [N, T, input_dim] to [N, T, output_dim]."""
        return tanh(self.layer(seen))


class MaxoutReadout(nn.Module):
    """Maxout readout: each output is the maximum of two linear units.

    See Goodfellow et al. 2013, and Bahdanau et al. 2015, A.2.2.
    """

    def __init__(self, input_dim: int, output_dim: int) -> None:
        super().__init__()
        self.layer = Linear(input_dim, 2 * output_dim)

    def forward(self, seen: Tensor) -> Tensor:
        """Map [N, T, input_dim] to [N, T, output_dim]."""
        pairs: Tensor = self.layer(seen).unflatten(-1, (-1, 2))
        return pairs.amax(-1)


READOUTS: dict[str, type[TanhReadout] | type[MaxoutReadout]] = {
    "tanh": TanhReadout,
    "maxout": MaxoutReadout,
}
