"""The same models as other people's libraries, or plain PyTorch, have them.

Every one reads a batch and returns the logits of all target places, [B, T, V]; one table of
embeddings serves source, target and output, and dropout is where ours is.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.data.batch import Batch
from s2scli.model.attention.additive import AdditiveAttentionSettings
from s2scli.model.decoder.recurrent import RecurrentDecoderSettings
from s2scli.model.decoder.transformer import TransformerDecoderSettings
from s2scli.model.encoder.recurrent import RecurrentEncoderSettings
from s2scli.model.encoder.transformer import TransformerEncoderSettings
from s2scli.model.settings import ModelSettings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID

MAX_PLACES = 512


class Marian(nn.Module):
    """HuggingFace transformers' MarianMTModel, with scaled_dot_product_attention."""

    def __init__(self, settings: ModelSettings, vocab_size: int) -> None:
        super().__init__()
        from transformers import MarianConfig, MarianMTModel

        encoder, decoder = _transformer(settings)
        config = MarianConfig(
            vocab_size=vocab_size,
            d_model=decoder.model_dim,
            encoder_layers=encoder.num_layers,
            encoder_attention_heads=encoder.num_heads,
            encoder_ffn_dim=encoder.ffn_dim,
            decoder_layers=decoder.num_layers,
            decoder_attention_heads=decoder.num_heads,
            decoder_ffn_dim=decoder.ffn_dim,
            activation_function="relu",
            dropout=decoder.dropout,
            max_position_embeddings=MAX_PLACES,
            scale_embedding=True,
            use_cache=False,
            pad_token_id=PAD_ID,
            eos_token_id=EOS_ID,
            forced_eos_token_id=EOS_ID,
            decoder_start_token_id=BOS_ID,
            attn_implementation="sdpa",
        )
        self.model = MarianMTModel(config)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits [B, T, V]."""
        padded = int(batch.source_lengths.min()) < batch.source.shape[1]
        logits: Tensor = self.model(
            input_ids=batch.source,
            attention_mask=(batch.source != PAD_ID).long() if padded else None,
            decoder_input_ids=batch.target_input,
            use_cache=False,
        ).logits
        return logits


class TorchTransformer(nn.Module):
    """torch.nn.Transformer between an embedding table and the same table as output layer."""

    places: Tensor
    future: Tensor

    def __init__(self, settings: ModelSettings, vocab_size: int) -> None:
        super().__init__()
        encoder, decoder = _transformer(settings)
        width = decoder.model_dim
        self.scale = math.sqrt(width)
        self.table = make_table(vocab_size, width)
        self.dropout = nn.Dropout(decoder.dropout)
        self.body = nn.Transformer(
            width,
            decoder.num_heads,
            encoder.num_layers,
            decoder.num_layers,
            decoder.ffn_dim,
            decoder.dropout,
            batch_first=True,
            norm_first=True,
        )
        for layer in [*self.body.encoder.layers, *self.body.decoder.layers]:
            layer.dropout.p = 0.0  # within the feed-forward network, where we have none
            layer.self_attn.dropout = 0.0
            if hasattr(layer, "multihead_attn"):
                layer.multihead_attn.dropout = 0.0
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        future = nn.Transformer.generate_square_subsequent_mask(MAX_PLACES)
        self.register_buffer("future", future, persistent=False)
        self.register_buffer("places", _sinusoids(MAX_PLACES, width), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits [B, T, V]."""
        padded = int(batch.source_lengths.min()) < batch.source.shape[1]
        padding = (batch.source == PAD_ID) if padded else None
        steps = batch.target_input.shape[1]
        states = self.body(
            self._embed(batch.source),
            self._embed(batch.target_input),
            tgt_mask=self.future[:steps, :steps],
            tgt_is_causal=True,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return F.linear(states, self.table.weight, self.bias)

    def _embed(self, token_ids: Tensor) -> Tensor:
        embedded = self.table(token_ids) * self.scale + self.places[: token_ids.shape[1]]
        states: Tensor = self.dropout(embedded)
        return states


class TorchLSTM(nn.Module):
    """nn.LSTM reads; an LSTM writes, with additive attention before or after its recurrence.

    Args:
        settings: of the model.
        vocab_size: tokens of the vocabulary.
        at_once: attention after the recurrence lets nn.LSTM make the whole target in one call;
            otherwise, and always before it, an LSTMCell goes step by step.
    """

    def __init__(self, settings: ModelSettings, vocab_size: int, *, at_once: bool = False) -> None:
        super().__init__()
        encoder, decoder, attention = _lstm(settings)
        width, state, memory = (
            settings.source.embedding_dim,
            decoder.model_dim,
            2 * encoder.model_dim,
        )
        self.before, self.at_once = decoder.attend == "before", at_once
        self.table = make_table(vocab_size, width)
        self.dropout = nn.Dropout(decoder.dropout)
        self.encoder = nn.LSTM(width, encoder.model_dim, batch_first=True, bidirectional=True)
        read = width + (memory if self.before else 0)
        self.decoder: nn.LSTM | nn.LSTMCell = (
            nn.LSTM(read, state, batch_first=True) if at_once else nn.LSTMCell(read, state)
        )
        self.query = nn.Linear(state, attention.attention_dim, bias=False)
        self.key = nn.Linear(memory, attention.attention_dim)
        self.score = nn.Linear(attention.attention_dim, 1, bias=False)
        self.readout = nn.Linear(state + memory, width)
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, batch: Batch) -> Tensor:
        """Return logits [B, T, V]."""
        memory, state = self._encode(batch)
        keys = self.key(memory)
        padding = (batch.source == PAD_ID)[:, None]  # [B, 1, S]
        embedded = self.dropout(self.table(batch.target_input))
        if self.at_once:
            first = (state[0][None].contiguous(), state[1][None].contiguous())
            states, _ = self.decoder(embedded, first)
            contexts = self._attend(states, keys, memory, padding)
        else:
            states, contexts = self._step_by_step(embedded, state, keys, memory, padding)
        hidden = self.dropout(torch.tanh(self.readout(torch.cat([states, contexts], -1))))
        return F.linear(hidden, self.table.weight, self.bias)

    def _encode(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the memory [B, S, D] and the decoder's first state, each part [B, D]."""
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.table(batch.source)),
            batch.source_lengths,
            batch_first=True,
            enforce_sorted=False,
        )
        states, final = self.encoder(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        hidden, cell = (torch.cat([part[0], part[1]], -1) for part in final)
        return self.dropout(memory), (hidden, cell)

    def _step_by_step(
        self,
        embedded: Tensor,
        state: tuple[Tensor, Tensor],
        keys: Tensor,
        memory: Tensor,
        padding: Tensor,
    ) -> tuple[Tensor, Tensor]:
        states, contexts = [], []
        for token in embedded.unbind(1):  # [B, E]
            if self.before:
                context = self._attend(state[0][:, None], keys, memory, padding)
                token = torch.cat([token, context[:, 0]], -1)
            state = self.decoder(token, state)
            if not self.before:
                context = self._attend(state[0][:, None], keys, memory, padding)
            states.append(state[0])
            contexts.append(context)
        return torch.stack(states, 1), torch.cat(contexts, 1)

    def _attend(self, queries: Tensor, keys: Tensor, memory: Tensor, padding: Tensor) -> Tensor:
        """Return the context of each query [B, Q, D] (Bahdanau et al. 2015, A.1.2)."""
        scores = self.score(torch.tanh(self.query(queries)[:, :, None] + keys[:, None]))
        weights = scores.squeeze(-1).masked_fill(padding, float("-inf")).softmax(-1)
        contexts: Tensor = weights.to(memory.dtype) @ memory
        return contexts


def make_table(vocab_size: int, width: int) -> nn.Embedding:
    """Return an embedding table whose vectors are about 1 long."""
    table = nn.Embedding(vocab_size, width, padding_idx=PAD_ID)
    with torch.no_grad():
        table.weight.mul_(width**-0.5)
    return table


def _sinusoids(places: int, width: int) -> Tensor:
    """Return the positions of Vaswani et al. 2017, section 3.5, [places, width]."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angles = torch.arange(places)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def _transformer(
    settings: ModelSettings,
) -> tuple[TransformerEncoderSettings, TransformerDecoderSettings]:
    encoder, decoder = settings.encoder, settings.decoder
    assert isinstance(encoder, TransformerEncoderSettings)
    assert isinstance(decoder, TransformerDecoderSettings)
    return encoder, decoder


def _lstm(
    settings: ModelSettings,
) -> tuple[RecurrentEncoderSettings, RecurrentDecoderSettings, AdditiveAttentionSettings]:
    encoder, decoder, attention = settings.encoder, settings.decoder, settings.attention
    assert isinstance(encoder, RecurrentEncoderSettings)
    assert isinstance(decoder, RecurrentDecoderSettings)
    assert isinstance(attention, AdditiveAttentionSettings)
    return encoder, decoder, attention
