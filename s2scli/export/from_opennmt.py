"""Read a Transformer of OpenNMT-py 3 (Klein et al. 2017): a `.pt` file, and SentencePiece models.

Its norms come before the sublayers, as in Xiong et al. 2020. A source has no end token. Its
sinusoidal positions alternate sines and cosines, where ours has all sines first: so the units of
all states are reordered, which changes no output.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from s2scli.errors import CheckpointError, MissingInputError
from s2scli.export.foreign import (
    Foreign,
    Tables,
    TokenizerFiles,
    adopt_tokenizers,
    check_rows,
    float32,
    join,
    read_checkpoint,
)
from s2scli.export.marian import SIDES, layer_names
from s2scli.settings import Tree
from s2scli.tokenizer.adopted import Vocabulary

SUFFIX = ".pt"
SPECIAL = ("<blank>", "<unk>", "<s>", "</s>")  # padding, unknown, start, end
STACKS = {"encoder": "model.encoder.transformer", "decoder": "model.decoder.transformer_layers"}
# Options and the values that s2s can run; an option that is not there has the first
REQUIRED: Mapping[str, tuple[Any, ...]] = {
    "model_task": ("seq2seq",),
    "encoder_type": ("transformer",),
    "decoder_type": ("transformer",),
    "position_encoding": (True,),
    "position_encoding_type": ("SinusoidalInterleaved",),
    "max_relative_positions": (0,),
    "sliding_window": (0,),
    "n_src_feats": (0,),
    "self_attn_type": ("scaled-dot", "scaled-dot-flash"),
    "layer_norm": ("standard",),
    "parallel_residual": (False,),
    "copy_attn": (False, None),
    "num_kv": (0,),
    "generator_function": ("softmax",),
}
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "silu": "swiglu"}  # its silu has a gate
NORM_EPSILON = 1e-6
# Parts of a layer: the name in the library transformers, and those of OpenNMT-py
PARTS: Mapping[str, str] = {
    "self_attn.q_proj": "self_attn.linear_query",
    "self_attn.k_proj": "self_attn.linear_keys",
    "self_attn.v_proj": "self_attn.linear_values",
    "self_attn.out_proj": "self_attn.final_linear",
    "encoder_attn.q_proj": "context_attn.linear_query",
    "encoder_attn.k_proj": "context_attn.linear_keys",
    "encoder_attn.v_proj": "context_attn.linear_values",
    "encoder_attn.out_proj": "context_attn.final_linear",
    "encoder_attn_layer_norm": "layer_norm_2",
    "fc1": "feed_forward.w_1",
    "fc2": "feed_forward.w_2",
    "final_layer_norm": "feed_forward.layer_norm",
}
FIRST_NORM = {"encoder": "layer_norm", "decoder": "layer_norm_1"}
GATE = "feed_forward.w_3"
# Of our weights: those whose rows, and those whose columns, are the units of the states
ROWS = ("self_attention.output", "attention.output", "feed_forward.outer", "norm")
COLUMNS = ("query_key_value", "attention.query", "key_value", "feed_forward.inner")


@dataclass(frozen=True)
class _Checkpoint:
    """A checkpoint of OpenNMT-py: its file, its tensors and its facts."""

    path: Path
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def option(self, name: str, default: Any = None) -> Any:
        """Return the value of an option."""
        return self.facts.get(f"opt.{name}", default)

    def count(self, *names: str) -> int:
        """Return the value of the first of these options that is there, a number above 0."""
        value = next((self.option(name) for name in names if self.option(name)), None)
        if type(value) is not int or not 0 < value <= 65_536:
            raise CheckpointError(
                f"{self.path}: {names[0]} is {value!r:.40}, expected a number above 0"
            )
        return value


def read_opennmt(path: Path, files: TokenizerFiles) -> Foreign:
    """Read a checkpoint of OpenNMT-py 3.

    Args:
        path: the checkpoint.
        files: the SentencePiece models; the checkpoint has the vocabularies.

    Raises:
        MissingInputError: a file is missing.
        CheckpointError: the model is damaged, or not a Transformer that s2s has.
        TokenizerError: the tokenizer is damaged.
    """
    checkpoint = _read(path)
    spms = _spms(path, files)
    vocabularies = [_vocabulary(checkpoint, side) for side in ("src", "tgt")]
    adopted, source, target = adopt_tokenizers(spms, vocabularies)
    tables = _tables(checkpoint)
    for table, vocabulary in zip((tables.source, tables.target), vocabularies, strict=True):
        check_rows(table, vocabulary.pieces, path)
    endless = replace(adopted.texts[0], ends=False)
    return Foreign(
        "OpenNMT-py",
        _model_tree(checkpoint, tables.tie(joint=adopted.joint)),
        {},
        checkpoint.option("src_seq_length") or 192,
        {**_layers(checkpoint), **tables.weights(source, target)},
        replace(adopted, source=endless),
    )


def _read(path: Path) -> _Checkpoint:
    """Read the tensors and the options, and check the options."""
    try:
        found = read_checkpoint(path)
    except CheckpointError as error:
        if "torchtext" in str(error):
            raise CheckpointError(
                f"{error}; a checkpoint of OpenNMT-py 2: convert it with its convertv2_v3.py"
            ) from error
        raise
    checkpoint = _Checkpoint(path, found.tensors, found.facts)
    if checkpoint.option("encoder_type") is None:
        raise CheckpointError(f"{path}: has no options (opt), as a checkpoint of OpenNMT-py has")
    for name, values in REQUIRED.items():
        value = checkpoint.option(name, values[0])
        if value not in values:
            raise CheckpointError(
                f"{path}: {name} is {value!r:.40}, and s2s imports models with {values[0]!r}"
            )
    activation = checkpoint.option("pos_ffn_activation_fn", "relu")
    if activation not in ACTIVATIONS:
        raise CheckpointError(
            f"{path}: pos_ffn_activation_fn is {activation!r:.40}; expected one of "
            f"{', '.join(ACTIVATIONS)}"
        )
    return checkpoint


def _spms(path: Path, files: TokenizerFiles) -> tuple[Path, Path]:
    """Return the SentencePiece models of both sides."""
    source = files.source_spm or path.parent / "source.spm"
    target = files.target_spm or (source if files.source_spm else path.parent / "target.spm")
    for spm in (source, target):
        if not spm.is_file():
            raise MissingInputError(
                f"{spm}: no such file; a checkpoint of OpenNMT-py has no tokenizer: give its "
                "SentencePiece model with --source-spm (and --target-spm)"
            )
    return source, target


def _vocabulary(checkpoint: _Checkpoint, side: str) -> Vocabulary:
    """Return the vocabulary of a side."""
    pieces = checkpoint.facts.get(f"vocab.{side}")
    if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
        raise CheckpointError(f"{checkpoint.path}: has no list of pieces vocab.{side}")
    start = checkpoint.facts.get("vocab.decoder_start_token") or "<s>"
    blank, unknown, _, end = SPECIAL
    for name in (blank, unknown, start, end):
        if name not in pieces:
            raise CheckpointError(f"{checkpoint.path}: vocab.{side} has no piece {name!r:.40}")
    ids = [pieces.index(name) for name in (blank, unknown, start, end)]
    return Vocabulary(pieces, *ids)


def _tables(checkpoint: _Checkpoint) -> Tables:
    """Return the embeddings and the output layer, with the units in our order."""
    path, tensors = checkpoint.path, checkpoint.tensors
    name = "model.{}.embeddings.make_embedding.emb_luts.0.weight"
    source, target = (float32(tensors, name.format(stack), path) for stack in SIDES)
    head = "generator.weight" if "generator.weight" in tensors else "generator.0.weight"
    output, bias = (float32(tensors, part, path) for part in (head, head[:-6] + "bias"))
    if output.shape != target.shape or bias.shape != output.shape[:1]:
        raise CheckpointError(
            f"{path}: the output layer has the shape {tuple(output.shape)}, expected "
            f"{tuple(target.shape)} as the embeddings"
        )
    order = sines_first(source.shape[-1])
    if source.dim() != 2 or source.shape[1] != target.shape[1]:
        raise CheckpointError(f"{path}: the embeddings of source and target differ in width")
    target_units = target[:, order]
    same = torch.equal(output, target)
    shared = source.shape == target.shape and torch.equal(source, target)
    return Tables(
        target_units if shared else source[:, order],
        target_units,
        target_units if same else output[:, order],
        bias,
    )


def sines_first(width: int) -> Tensor:
    """Return the order of units in which the even ones come first, [width]."""
    return torch.cat([torch.arange(0, width, 2), torch.arange(1, width, 2)])


def _layers(checkpoint: _Checkpoint) -> dict[str, Tensor]:
    """Return the weights of the layers and of the last norms, with the units in our order."""
    counts = _counts(checkpoint)
    names = layer_names(counts)
    renamed: dict[str, Tensor] = {}
    parts: dict[str, tuple[str, ...]] = {}
    gated = checkpoint.option("pos_ffn_activation_fn") == "silu"
    for ours, theirs in names.items():
        parts[ours] = tuple(_theirs(name) for name in theirs)
        if gated and ".feed_forward.inner." in ours:
            parts[ours] += (parts[ours][0].replace(PARTS["fc1"], GATE),)
        renamed |= {name: _tensor(checkpoint, name) for name in parts[ours]}
    for stack in SIDES:
        for kind in ("weight", "bias"):
            name = f"model.{stack}.layer_norm.{kind}"
            parts[f"{stack}.norm.{kind}"] = (name,)
            renamed[name] = float32(checkpoint.tensors, name, checkpoint.path)
    joined = join(parts, renamed, checkpoint.path)
    return {name: _ordered(name, tensor) for name, tensor in joined.items()}


def _counts(checkpoint: _Checkpoint) -> dict[str, int]:
    return {
        "encoder": checkpoint.count("enc_layers", "layers"),
        "decoder": checkpoint.count("dec_layers", "layers"),
    }


def _theirs(name: str) -> str:
    """Return OpenNMT-py's name of a weight that the library transformers names so."""
    _, stack, _, number, rest = name.split(".", 4)
    part, _, kind = rest.rpartition(".")
    own = FIRST_NORM[stack] if part == "self_attn_layer_norm" else PARTS[part]
    return f"{STACKS[stack]}.{number}.{own}.{kind}"


def _tensor(checkpoint: _Checkpoint, name: str) -> Tensor:
    """Return a tensor; the bias of a layer without one is 0."""
    weight = f"{name.removesuffix('.bias')}.weight"
    if name.endswith(".bias") and name not in checkpoint.tensors and weight in checkpoint.tensors:
        return checkpoint.tensors[weight].new_zeros(len(checkpoint.tensors[weight])).float()
    return float32(checkpoint.tensors, name, checkpoint.path)


def _ordered(name: str, tensor: Tensor) -> Tensor:
    """Return a weight with the units of the states in our order."""
    part, _, kind = name.rpartition(".")
    if part.endswith(ROWS):
        return tensor[sines_first(len(tensor))]
    if kind == "weight" and part.endswith(COLUMNS):
        return tensor[:, sines_first(tensor.shape[1])]
    return tensor


def _model_tree(checkpoint: _Checkpoint, tie: str) -> Tree:
    """Return the settings of the model."""
    width = checkpoint.count("hidden_size", "enc_hid_size", "rnn_size")
    activation = ACTIVATIONS[checkpoint.option("pos_ffn_activation_fn", "relu")]
    stacks = {
        stack: {
            "kind": "transformer",
            "model_dim": width,
            "num_layers": count,
            "num_heads": checkpoint.count("heads"),
            "ffn_dim": checkpoint.count("transformer_ff"),
            "activation": activation,
            "norm_first": True,
            "norm_epsilon": checkpoint.option("norm_eps", NORM_EPSILON),
        }
        for stack, count in _counts(checkpoint).items()
    }
    return {
        **stacks,
        **{side: {"embedding_dim": width} for side in SIDES.values()},
        "connection": {"kind": "none"},
        "attention": {"kind": "multi_head", "num_heads": checkpoint.count("heads")},
        "tie_embeddings": tie,
    }
