"""The Marian Transformer of the library transformers: its weights and its configuration.

The layers are those of Vaswani et al. 2017 with norms after the sublayers. Its weights have other
names than ours, and we keep query, key and value in one matrix.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from s2scli.model.frontend.tokens import TABLE
from s2scli.model.settings import ModelSettings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID

# Names of ours, and of theirs that are concatenated in ours
SELF_ATTENTION = {
    "self_attention.query_key_value": tuple(f"self_attn.{part}_proj" for part in "qkv"),
    "self_attention.output": ("self_attn.out_proj",),
    "around_self_attention.norm": ("self_attn_layer_norm",),
}
ATTENTION = {
    "attention.query": ("encoder_attn.q_proj",),
    "attention.key_value": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "attention.output": ("encoder_attn.out_proj",),
    "around_attention.norm": ("encoder_attn_layer_norm",),
}
FEED_FORWARD = {
    "feed_forward.inner": ("fc1",),
    "feed_forward.outer": ("fc2",),
    "around_feed_forward.norm": ("final_layer_norm",),
}
LAYER = {
    "encoder": {**SELF_ATTENTION, **FEED_FORWARD},
    "decoder": {**SELF_ATTENTION, **ATTENTION, **FEED_FORWARD},
}
SHARED, HEAD, BIAS = "model.shared.weight", "lm_head.weight", "final_logits_bias"
SIDES = {"encoder": "source", "decoder": "target"}
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "silu": "silu"}

Weights = Mapping[str, Tensor]


def embeddings_of(stack: str) -> str:
    """Return their name of the embeddings of the encoder or the decoder."""
    return f"model.{stack}.embed_tokens.weight"


def layer_names(layers: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Return our name of each weight in the layers, and their names of its parts, in order.

    Args:
        layers: the number of layers of the encoder and of the decoder.
    """
    return {
        f"{stack}.layers.{number}.{ours}.{kind}": tuple(
            f"model.{stack}.layers.{number}.{name}.{kind}" for name in theirs
        )
        for stack, count in layers.items()
        for number in range(count)
        for ours, theirs in LAYER[stack].items()
        for kind in ("weight", "bias")
    }


def marian_tensors(settings: ModelSettings, weights: Weights) -> dict[str, Tensor]:
    """Return the weights of a model under their names; tied ones are there once.

    Args:
        settings: settings of a model that can be exported.
        weights: the weights on the CPU, tied ones under each of their names.
    """
    encoder, decoder = settings.encoder, settings.decoder
    layers = {"encoder": encoder.num_layers, "decoder": decoder.num_layers}
    tensors: dict[str, Tensor] = {}
    for ours, theirs in layer_names(layers).items():
        tensors |= zip(theirs, weights[ours].chunk(len(theirs)), strict=True)
    tables = {stack: _embeddings(weights, stack) for stack in SIDES}
    is_shared, is_tied = ties(weights)
    if is_shared:
        tensors[SHARED] = tables["encoder"]
    else:
        tensors |= {embeddings_of(stack): table for stack, table in tables.items()}
    if not is_tied:
        tensors[HEAD] = weights["output.weight"]
    tensors[BIAS] = weights["output.bias"][None]
    return {name: tensor.float().contiguous() for name, tensor in tensors.items()}


def ties(weights: Weights) -> tuple[bool, bool]:
    """Return whether all tables are one, and whether the output layer has the target's.

    Transformers ties the output layer whenever it shares the other two.
    """
    if any(f"{stack}.entrance.project.weight" in weights for stack in SIDES):
        return False, False
    source, target = (weights[f"{side}.{TABLE}"] for side in SIDES.values())
    is_tied = weights["output.weight"].data_ptr() == target.data_ptr()
    return is_tied and source.data_ptr() == target.data_ptr(), is_tied


def marian_config(settings: ModelSettings, weights: Weights, positions: int) -> dict[str, Any]:
    """Return the content of `config.json`; see `Target.write` for arguments."""
    encoder, decoder = settings.encoder, settings.decoder
    assert encoder.kind == decoder.kind == "transformer"
    is_shared, is_tied = ties(weights)
    sizes = {
        f"{name}_{theirs}": getattr(stack, ours)
        for name, stack in (("encoder", encoder), ("decoder", decoder))
        for theirs, ours in (
            ("layers", "num_layers"),
            ("attention_heads", "num_heads"),
            ("ffn_dim", "ffn_dim"),
        )
    }
    return {
        "architectures": ["MarianMTModel"],
        "model_type": "marian",
        **sizes,
        "d_model": encoder.model_dim,
        "activation_function": ACTIVATIONS[encoder.activation],
        "scale_embedding": not _projects(weights),
        "max_position_embeddings": positions,
        "vocab_size": len(weights[f"source.{TABLE}"]),
        "decoder_vocab_size": len(weights["output.bias"]),
        "share_encoder_decoder_embeddings": is_shared,
        "tie_word_embeddings": is_tied,
        "dropout": encoder.dropout,
        "attention_dropout": encoder.attention_dropout,
        "activation_dropout": encoder.ffn_dropout,
        "pad_token_id": PAD_ID,
        "bos_token_id": BOS_ID,
        "eos_token_id": EOS_ID,
        "decoder_start_token_id": BOS_ID,
        "forced_eos_token_id": EOS_ID,
        "dtype": "float32",
    }


def _projects(weights: Weights) -> bool:
    return any(f"{stack}.entrance.project.weight" in weights for stack in SIDES)


def _embeddings(weights: Weights, stack: str) -> Tensor:
    """Return the table of a side; see `ctranslate2_spec` for projections.

    The scale is theirs, unless a side has a projection: then it is multiplied into both tables.
    """
    table = weights[f"{SIDES[stack]}.{TABLE}"]
    if not _projects(weights):
        return table
    table = torch.mul(table, table.shape[1] ** 0.5)
    project = weights.get(f"{stack}.entrance.project.weight")
    if project is not None:
        table = table @ project.T + weights[f"{stack}.entrance.project.bias"]
    return table
