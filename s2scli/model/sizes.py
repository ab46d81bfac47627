"""The sizes of a model that a user can choose by name, in one table."""

from dataclasses import dataclass

from s2scli.model.settings import ModelSettings
from s2scli.settings import Tree


@dataclass(frozen=True)
class ModelSize:
    """The widths, layers and heads of a model.

    Attributes:
        width: embeddings, states of a Transformer, and the scoring network of attention. The states
            of a model with only recurrent parts have twice this width.
        ffn_dim: inner width of the feed-forward networks.
        num_heads: heads of every multi-head attention.
        transformer_layers: layers of a Transformer encoder or decoder.
        recurrent_layers: layers of a recurrent encoder or decoder.
    """

    width: int
    ffn_dim: int
    num_heads: int
    transformer_layers: int
    recurrent_layers: int


# A Transformer has the sizes of the recipes transformer-tiny, transformer-small and vaswani2017. A
# small recurrent model has those of lstm-attention.
MODEL_SIZES = {
    "tiny": ModelSize(128, 256, 4, 4, 1),
    "small": ModelSize(256, 1024, 4, 3, 1),
    "base": ModelSize(512, 2048, 8, 6, 2),
}

STACKS = {"transformer", "ssru"}  # the kinds with layers of a Transformer


def sized(model: ModelSettings, size: ModelSize) -> list[str]:
    """Return the settings that give a model this size, as for `--set`.

    Only settings of the model's kinds are set. A bidirectional encoder splits its width between the
    two directions.
    """
    recurrent = not STACKS & {model.encoder.kind, model.decoder.kind}
    state = size.width * (2 if recurrent else 1)
    both_ways = getattr(model.encoder, "bidirectional", False)
    sections: dict[str, Tree] = {
        "source": {"embedding_dim": size.width},
        "target": {"embedding_dim": size.width},
        "encoder": _side(model.encoder.kind, size, state // 2 if both_ways else state),
        "decoder": _side(model.decoder.kind, size, state),
        "attention": {"attention_dim": size.width, "num_heads": size.num_heads},
    }
    return [
        f"model.{section}.{name}={value}"
        for section, settings in sections.items()
        for name, value in settings.items()
        if name in type(getattr(model, section)).model_fields
    ]


def _side(kind: str, size: ModelSize, width: int) -> Tree:
    """Return the settings of an encoder or a decoder."""
    layers = size.transformer_layers if kind in STACKS else size.recurrent_layers
    return {
        "model_dim": width,
        "num_layers": layers,
        "num_heads": size.num_heads,
        "ffn_dim": size.ffn_dim,
    }
