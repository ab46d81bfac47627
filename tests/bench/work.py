"""How much arithmetic a target token needs, counted from the sizes of a model.

A weight of a matrix is multiplied and added once for each token that goes through the matrix: 2
operations forward and 4 backward, so 6 for each weight and token. Scores and blends of attention
are counted likewise, for each pair of places. Tables that are only looked into, norms, biases,
dropout, softmax and the optimizer count nothing, and neither does padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from s2scli.data.batch import Batch
from s2scli.model.attention.additive import AdditiveAttentionSettings
from s2scli.model.attention.scaled_dot import ScaledDotAttentionSettings
from s2scli.model.decoder.recurrent import RecurrentDecoderSettings
from s2scli.model.decoder.transformer import TransformerDecoderSettings
from s2scli.model.encoder.recurrent import RecurrentEncoderSettings
from s2scli.model.encoder.transformer import TransformerEncoderSettings
from s2scli.model.settings import ModelSettings

FORWARD_AND_BACKWARD = 6  # operations for each weight, or width of a score, and token


@dataclass(frozen=True)
class Work:
    """Multiplications of the forward pass.

    Attributes:
        source: weights that a source token goes through.
        target: weights that a target token goes through.
        source_pairs: widths of scores and blends, for two source places.
        target_pairs: likewise for a target place and one that is not after it.
        cross_pairs: likewise for a target and a source place.
    """

    source: int
    target: int
    source_pairs: int
    target_pairs: int
    cross_pairs: int


@dataclass(frozen=True)
class Tokens:
    """What some batches hold, end tokens counted.

    Attributes:
        source: real source tokens.
        target: real target tokens.
        source_places: places of the padded sources.
        target_places: places of the padded targets.
        source_pairs: pairs of real source places in one sentence.
        target_pairs: pairs of a real target place and one that is not after it.
        cross_pairs: pairs of a real target and a real source place.
    """

    source: int
    target: int
    source_places: int
    target_places: int
    source_pairs: int
    target_pairs: int
    cross_pairs: int


def count_tokens(batches: Sequence[Batch]) -> Tokens:
    """Return what some batches hold."""
    source = torch.cat([batch.source_lengths for batch in batches])  # [sentences]
    target = torch.cat([batch.target_mask.sum(1) for batch in batches])  # [sentences]
    return Tokens(
        source=int(source.sum()),
        target=int(target.sum()),
        source_places=sum(batch.source.numel() for batch in batches),
        target_places=sum(batch.target_output.numel() for batch in batches),
        source_pairs=int((source * source).sum()),
        target_pairs=int((target * (target + 1)).sum()) // 2,
        cross_pairs=int((target * source).sum()),
    )


def flops_per_target_token(work: Work, tokens: Tokens) -> tuple[float, float]:
    """Return the operations in products with weights, and those of attention beside them."""
    weights = work.source * tokens.source + work.target * tokens.target
    attention = (
        work.source_pairs * tokens.source_pairs
        + work.target_pairs * tokens.target_pairs
        + work.cross_pairs * tokens.cross_pairs
    )
    scale = FORWARD_AND_BACKWARD / tokens.target
    return weights * scale, attention * scale


def count_work(settings: ModelSettings, vocab_size: int) -> Work:
    """Return the work of a model: a Transformer, or recurrent LSTMs of one layer."""
    match settings.encoder, settings.decoder:
        case TransformerEncoderSettings() as encoder, TransformerDecoderSettings() as decoder:
            return _transformer_work(encoder, decoder, vocab_size)
        case RecurrentEncoderSettings() as encoder, RecurrentDecoderSettings() as decoder:
            return _lstm_work(settings, encoder, decoder, vocab_size)
    raise ValueError("no count for this model")


def _transformer_work(
    encoder: TransformerEncoderSettings, decoder: TransformerDecoderSettings, vocab_size: int
) -> Work:
    """Self-attention has 4 square matrices; attention over the memory 2 on either side."""
    layers, width = decoder.num_layers, decoder.model_dim
    square, inner = width * width, width * decoder.ffn_dim
    return Work(
        source=encoder.num_layers * (4 * square + 2 * width * encoder.ffn_dim)
        + layers * 2 * square,
        target=layers * (6 * square + 2 * inner) + width * vocab_size,
        source_pairs=encoder.num_layers * 2 * width,
        target_pairs=layers * 2 * width,
        cross_pairs=layers * 2 * width,
    )


def _lstm_work(
    settings: ModelSettings,
    encoder: RecurrentEncoderSettings,
    decoder: RecurrentDecoderSettings,
    vocab_size: int,
) -> Work:
    """Four gates read input and state; attention projects states and memory to one width."""
    attention = settings.attention
    assert isinstance(attention, AdditiveAttentionSettings | ScaledDotAttentionSettings)
    read, written = settings.source.embedding_dim, settings.target.embedding_dim
    state, attended = decoder.model_dim, attention.attention_dim
    memory = 2 * encoder.model_dim
    fed = memory if decoder.attend == "before" else 0
    return Work(
        source=2 * 4 * encoder.model_dim * (read + encoder.model_dim) + memory * attended,
        target=4 * state * (written + fed + state)
        + state * attended
        + (state + memory) * written
        + written * vocab_size,
        source_pairs=0,
        target_pairs=0,
        cross_pairs=attended + memory,
    )
