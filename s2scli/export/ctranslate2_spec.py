"""Build CTranslate2's specification of a Transformer (`ctranslate2.specs`) from our weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from s2scli.export.extra import require_ctranslate2
from s2scli.export.settings import Quantization
from s2scli.model.frontend.tokens import TABLE
from s2scli.model.settings import ModelSettings
from s2scli.model.transformer.positions import sinusoids
from s2scli.model.transformer.settings import TransformerSettings
from s2scli.special_ids import BOS_ID, EOS_ID, UNK_ID
from s2scli.tokenizer.tokenizers import Tokenizers

# Names in ctranslate2.specs.common_spec.Activation; SwiGLU is SWISH with ffn_glu
ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "silu": "SWISH", "swiglu": "SWISH"}

Weights = Mapping[str, Tensor]
Spec = Any  # a class of ctranslate2.specs, which has no type hints


def write_spec(
    folder: Path,
    settings: ModelSettings,
    weights: Weights,
    tokenizers: Tokenizers,
    positions: int,
    quantization: Quantization,
) -> None:
    """Write `model.bin`, `config.json` and the vocabularies; see `Target.write` for arguments."""
    spec = make_spec(settings, weights, tokenizers, positions)
    spec.validate()
    spec.optimize(quantization=None if quantization == "none" else quantization)
    spec.save(str(folder))


def make_spec(
    settings: ModelSettings, weights: Weights, tokenizers: Tokenizers, positions: int
) -> Spec:
    """Build the model's specification; see `Target.write` for arguments."""
    specs = require_ctranslate2().specs.transformer_spec
    encoder, decoder = settings.encoder, settings.decoder
    assert encoder.kind == decoder.kind == "transformer"
    spec = specs.TransformerSpec(
        specs.TransformerEncoderSpec(encoder.num_layers, encoder.num_heads, **_choices(encoder)),
        specs.TransformerDecoderSpec(decoder.num_layers, decoder.num_heads, **_choices(decoder)),
    )
    _set_entrance(spec.encoder, spec.encoder.embeddings[0], encoder, weights, positions, "encoder")
    _set_entrance(spec.decoder, spec.decoder.embeddings, decoder, weights, positions, "decoder")
    for stack, side in ((spec.encoder, "encoder"), (spec.decoder, "decoder")):
        for number, layer in enumerate(stack.layer):
            _set_layer(layer, weights, f"{side}.layers.{number}")
        if f"{side}.norm.weight" in weights:
            _set_norm(stack.layer_norm, weights, f"{side}.norm")
    _set_linear(spec.decoder.projection, weights, "output")
    _set_words(spec, tokenizers)
    spec.config.layer_norm_epsilon = encoder.epsilon
    return spec


def _choices(settings: TransformerSettings) -> dict[str, Any]:
    """Return the keyword arguments for the specification of an encoder or decoder."""
    activations = require_ctranslate2().specs.common_spec.Activation
    rotary = {"rotary_dim": 0, "rotary_interleave": False}  # rotate whole heads, in halves
    return {
        "pre_norm": settings.norm_first,
        "activation": activations[ACTIVATIONS[settings.activation]],
        "ffn_glu": settings.activation == "swiglu",
        "rms_norm": settings.norm == "rms",
        **(rotary if settings.positions == "rotary" else {}),
    }


def _set_entrance(
    stack: Spec,
    embeddings: Spec,
    settings: TransformerSettings,
    weights: Weights,
    positions: int,
    side: str,
) -> None:
    """Set the token embeddings and the position encodings.

    CTranslate2 has no projection between the embeddings and the layers. The projection is linear,
    so it is multiplied into the embedding table, together with the scale.
    """
    table = weights[f"{'source' if side == 'encoder' else 'target'}.{TABLE}"]
    project = weights.get(f"{side}.entrance.project.weight")
    stack.scale_embeddings = project is None
    if project is not None:
        scaled = table * table.shape[1] ** 0.5
        table = scaled @ project.T + weights[f"{side}.entrance.project.bias"]
    embeddings.weight = _array(table)
    if settings.positions == "sinusoidal":
        encodings = sinusoids(torch.arange(positions), settings.model_dim)
    elif settings.positions == "learned":
        learned = weights[f"{side}.entrance.learned.table.weight"]
        encodings = learned[torch.arange(positions).clamp(max=len(learned) - 1)]
    elif settings.positions == "grid":
        where, tables = torch.arange(positions), f"{side}.entrance.learned"
        rows, columns = (weights[f"{tables}.{part}.table.weight"] for part in ("row", "column"))
        row = (where // settings.grid_columns).clamp(max=len(rows) - 1)
        encodings = rows[row] + columns[where % settings.grid_columns]
    else:
        return
    stack.position_encodings.encodings = _array(encodings)


def _set_layer(layer: Spec, weights: Weights, name: str) -> None:
    attention = layer.self_attention
    _set_linear(attention.linear[0], weights, f"{name}.self_attention.query_key_value")
    _set_linear(attention.linear[1], weights, f"{name}.self_attention.output")
    _set_norm(attention.layer_norm, weights, f"{name}.around_self_attention.norm")
    if f"{name}.attention.query.weight" in weights:
        parts = zip(layer.attention.linear, ("query", "key_value", "output"), strict=True)
        for linear, part in parts:
            _set_linear(linear, weights, f"{name}.attention.{part}")
        _set_norm(layer.attention.layer_norm, weights, f"{name}.around_attention.norm")
    inner, ffn = f"{name}.feed_forward.inner", layer.ffn
    if hasattr(ffn, "linear_0_noact"):  # we keep gate and value in one layer
        _set_linear(ffn.linear_0, weights, inner, half=0)
        _set_linear(ffn.linear_0_noact, weights, inner, half=1)
    else:
        _set_linear(ffn.linear_0, weights, inner)
    _set_linear(ffn.linear_1, weights, f"{name}.feed_forward.outer")
    _set_norm(ffn.layer_norm, weights, f"{name}.around_feed_forward.norm")


def _set_linear(linear: Spec, weights: Weights, name: str, half: int | None = None) -> None:
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    if half is not None:
        weight, bias = weight.chunk(2)[half], bias.chunk(2)[half]
    linear.weight, linear.bias = _array(weight), _array(bias)


def _set_norm(norm: Spec, weights: Weights, name: str) -> None:
    norm.gamma = _array(weights[f"{name}.weight"])
    if hasattr(norm, "beta"):
        norm.beta = _array(weights[f"{name}.bias"])


def _set_words(spec: Spec, tokenizers: Tokenizers) -> None:
    """Set the vocabularies and the special tokens."""
    source, names = tokenizers.texts
    spec.register_source_vocabulary(source.vocabulary)
    spec.register_target_vocabulary(names.vocabulary)
    spec.config.unk_token = names.piece(UNK_ID)
    spec.config.bos_token = spec.config.decoder_start_token = names.piece(BOS_ID)
    spec.config.eos_token = names.piece(EOS_ID)
    spec.config.add_source_bos, spec.config.add_source_eos = False, source.ends


def _array(weight: Tensor) -> Any:
    # a copy, because quantizing changes it in place
    return weight.detach().float().clone(memory_format=torch.contiguous_format).numpy()
