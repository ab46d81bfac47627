"""Read a Transformer of Marian (Junczys-Dowmunt et al. 2018): `model.npz`, its vocabulary and spm.

Marian reads a vector of zeros before the first token, and its sinusoidal positions have other
frequencies than those of Vaswani et al. 2017, so they become a table of learned positions.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2scli.artifacts import read_artifact
from s2scli.errors import CheckpointError, MissingInputError, TokenizerError
from s2scli.export.foreign import (
    NEVER,
    Foreign,
    Tables,
    TokenizerFiles,
    adopt_tokenizers,
    check_rows,
    float32,
    join,
    read_checkpoint,
)
from s2scli.export.from_huggingface import ordered
from s2scli.export.marian import SIDES, layer_names
from s2scli.settings import Tree
from s2scli.tokenizer.adopted import Vocabulary, pieces_of
from s2scli.tokenizer.sentencepiece import MAX_MODEL_BYTES

SUFFIX = ".npz"
CONFIG = "special:model.yml"
MAX_VOCABULARY_BYTES = 64_000_000
POSITIONS, MAX_LENGTH = 2048, 511
NORM_EPSILON = 1e-9
OLD_OUTPUT, OUTPUT = "decoder_ff_logit_out_W", "decoder_ff_logit_out_Wt"  # [D, V], and [V, D]
PAD = "<marian:pad>"  # Marian has no such token
# Options and the values that s2s can run; an option that is not there has the first
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "type": ("transformer",),
    "transformer-preprocess": ("", "d"),
    "transformer-postprocess": ("dan", "an"),
    "transformer-postprocess-emb": ("d", ""),
    "transformer-postprocess-top": ("",),
    "transformer-decoder-autoreg": ("self-attention",),
    "transformer-ffn-depth": ("2",),
    "transformer-decoder-ffn-depth": ("0", "2"),
    "transformer-no-projection": ("false",),
    "transformer-no-bias": ("false",),
    "transformer-no-affine": ("false",),
    "transformer-train-position-embeddings": ("false",),
    "transformer-disable-position-embeddings": ("false",),
    "lemma-dim-emb": ("0",),
    "output-omit-bias": ("false",),
    "right-left": ("false",),
}
ACTIVATIONS = {"relu": "relu", "silu": "silu", "swish": "silu"}  # its gelu is x sigmoid(1.702 x)
# Parts of a layer: the name in the library transformers, and Marian's weight and bias
PARTS: Mapping[str, tuple[str, str]] = {
    **{f"self_attn.{part}_proj": (f"self_W{part}", f"self_b{part}") for part in "qkv"},
    "self_attn.out_proj": ("self_Wo", "self_bo"),
    "self_attn_layer_norm": ("self_Wo_ln_scale", "self_Wo_ln_bias"),
    **{f"encoder_attn.{part}_proj": (f"context_W{part}", f"context_b{part}") for part in "qkv"},
    "encoder_attn.out_proj": ("context_Wo", "context_bo"),
    "encoder_attn_layer_norm": ("context_Wo_ln_scale", "context_Wo_ln_bias"),
    "fc1": ("ffn_W1", "ffn_b1"),
    "fc2": ("ffn_W2", "ffn_b2"),
    "final_layer_norm": ("ffn_ffn_ln_scale", "ffn_ffn_ln_bias"),
}
_LAYER = re.compile(r"model\.(encoder|decoder)\.layers\.(\d+)\.(.+)\.(weight|bias)")
# A colon ends a name only before a space or the end of the line
_ENTRY = re.compile(r"([^# \t'\"].*?|'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"):(?:\s+(.*))?")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|U([0-9A-Fa-f]{8})|.)")

Options = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class _Checkpoint:
    """A checkpoint of Marian: its file, its tensors and its options."""

    path: Path
    tensors: Mapping[str, Tensor]
    options: Options

    def option(self, name: str, default: str = "") -> str:
        """Return the value of an option that is not a list."""
        value = self.options.get(name, default)
        return value if isinstance(value, str) else ""

    def count(self, name: str) -> int:
        """Return the value of an option that is a number above 0."""
        value = self.option(name)
        if not value.isdecimal() or not 0 < int(value) <= 65_536:
            raise CheckpointError(
                f"{self.path}: {name} is {value!r:.40}, expected a number above 0"
            )
        return int(value)

    def is_on(self, *names: str) -> bool:
        """Whether one of these options is on."""
        return any(self.option(name) == "true" for name in names)


def read_marian(path: Path, files: TokenizerFiles) -> Foreign:
    """Read a checkpoint of Marian.

    Args:
        path: `model.npz`, or a folder that holds it.
        files: the SentencePiece models and vocabularies; those that are not given are looked for
            beside the checkpoint.

    Raises:
        MissingInputError: a file is missing.
        CheckpointError: the model is damaged, or not a Transformer that s2s has.
        TokenizerError: the tokenizer is damaged.
    """
    checkpoint = _read(path)
    spms, vocabularies = _tokenizer(checkpoint.path.parent, files)
    tables = _tables(checkpoint)
    for table, vocabulary in zip((tables.source, tables.target), vocabularies, strict=True):
        check_rows(table, vocabulary.pieces, checkpoint.path)
    tokenizers, source, target = adopt_tokenizers(spms, vocabularies)
    tensors, layers = _renamed(checkpoint), _layers(checkpoint)
    positions = marian_positions(POSITIONS, tables.source.shape[1])
    learned = {f"{stack}.entrance.learned.table.weight": positions for stack in SIDES}
    weights = join(layer_names(layers), tensors, checkpoint.path)
    return Foreign(
        "Marian",
        _model_tree(checkpoint, weights, tables.tie(joint=tokenizers.joint)),
        {},
        MAX_LENGTH,
        {**weights, **learned, **tables.weights(source, target)},
        tokenizers,
    )


def marian_positions(count: int, dim: int) -> Tensor:
    """Return Marian's position encodings, [count, dim].

    The first half of a vector holds sines, the second cosines. Of d / 2 frequencies, the first is 1
    and the last is exactly 1 / 10000, as in the program tensor2tensor.
    """
    half = dim // 2
    step = math.log(10_000) / max(half - 1, 1)
    angles = torch.arange(count)[:, None] * torch.exp(torch.arange(half) * -step)
    return torch.cat([angles.sin(), angles.cos()], 1)


def _read(path: Path) -> _Checkpoint:
    """Read the tensors and the options of a checkpoint, and check the options."""
    file = path if path.is_file() else npz_in(path)
    found = read_checkpoint(file)
    text = found.facts.get(CONFIG)
    if not isinstance(text, str):
        raise CheckpointError(f"{file}: has no {CONFIG}, as a model of Marian has")
    checkpoint = _Checkpoint(file, found.tensors, flat_yaml(text, file))
    for name, values in REQUIRED.items():
        value = checkpoint.option(name, values[0])
        if value not in values:
            raise CheckpointError(
                f"{file}: {name} is {value!r:.40}, and s2s imports models with {values[0]!r}"
            )
    for name in ("transformer-tied-layers", "input-types"):
        if checkpoint.options.get(name, "[]") not in ("[]", "", ["sequence", "sequence"]):
            raise CheckpointError(f"{file}: {name} is set, and s2s imports models without it")
    return checkpoint


def npz_in(folder: Path) -> Path:
    """Return the checkpoint in a folder.

    Raises:
        MissingInputError: there is none.
        CheckpointError: there are several.
    """
    found = sorted(folder.glob(f"*{SUFFIX}"))
    if not found:
        raise MissingInputError(f"{folder}: no checkpoint of Marian here (*{SUFFIX})")
    if len(found) > 1:
        listed = ", ".join(path.name for path in found)
        raise CheckpointError(
            f"{folder}: several checkpoints here ({listed:.200}); give one of them"
        )
    return found[0]


def _layers(checkpoint: _Checkpoint) -> dict[str, int]:
    return {"encoder": checkpoint.count("enc-depth"), "decoder": checkpoint.count("dec-depth")}


def _renamed(checkpoint: _Checkpoint) -> dict[str, Tensor]:
    """Return the weights of the layers under the names of the library transformers."""
    names = [name for names in layer_names(_layers(checkpoint)).values() for name in names]
    renamed = {}
    for name in names:
        found = _LAYER.fullmatch(name)
        assert found, "a name of a weight in a layer"
        stack, number, part, kind = found.groups()
        theirs = PARTS[part][kind == "bias"]
        full = f"{stack}_l{int(number) + 1}_{theirs}"
        tensor = float32(checkpoint.tensors, full, checkpoint.path)
        is_matrix = kind == "weight" and not part.endswith("layer_norm")
        renamed[name] = tensor.T if is_matrix else tensor.flatten()
    return renamed


def _tables(checkpoint: _Checkpoint) -> Tables:
    """Return the embeddings and the output layer, each with a row for padding."""
    where = checkpoint.path

    def tensor(name: str) -> Tensor:
        return float32(checkpoint.tensors, name, where)

    if checkpoint.is_on("tied-embeddings-all", "tied-embeddings-src"):
        source = target = _padded(tensor("Wemb"))
    else:
        source, target = _padded(tensor("encoder_Wemb")), _padded(tensor("decoder_Wemb"))
    tied = checkpoint.is_on("tied-embeddings-all", "tied-embeddings")
    is_old = OLD_OUTPUT in checkpoint.tensors
    output = target if tied else _padded(tensor(OLD_OUTPUT).T if is_old else tensor(OUTPUT))
    bias = torch.cat([tensor("decoder_ff_logit_out_b").flatten(), torch.tensor([NEVER])])
    if output.shape != target.shape or len(bias) != len(output):
        raise CheckpointError(
            f"{where}: the output layer has the shape {tuple(output.shape)} and a bias of "
            f"{len(bias)}, expected {tuple(target.shape)} as the embeddings"
        )
    return Tables(source, target, output, bias)


def _of_json(found: re.Match[str]) -> str:
    """Return an escape of YAML in a quoted text as JSON has it."""
    code = found[1] or found[2]
    return json.dumps(chr(int(code, 16)))[1:-1] if code else found[0]


def _padded(table: Tensor) -> Tensor:
    return torch.cat([table, table.new_zeros(1, *table.shape[1:])])


def _model_tree(checkpoint: _Checkpoint, weights: Mapping[str, Tensor], tie: str) -> Tree:
    """Return the settings of the model."""
    activation = checkpoint.option("transformer-ffn-activation", "swish")
    if activation not in ACTIVATIONS:
        raise CheckpointError(
            f"{checkpoint.path}: transformer-ffn-activation is {activation!r:.40}; expected one of "
            f"{', '.join(ACTIVATIONS)}"
        )
    width, heads = checkpoint.count("dim-emb"), checkpoint.count("transformer-heads")
    stacks = {
        stack: {
            "kind": "transformer",
            "model_dim": width,
            "num_layers": count,
            "num_heads": heads,
            "ffn_dim": len(weights[f"{stack}.layers.0.feed_forward.inner.weight"]),
            "activation": ACTIVATIONS[activation],
            "norm_first": False,
            "norm_epsilon": NORM_EPSILON,
            "positions": "learned",
            "max_positions": POSITIONS,
        }
        for stack, count in _layers(checkpoint).items()
    }
    return {
        **stacks,
        **{side: {"embedding_dim": width} for side in SIDES.values()},
        "connection": {"kind": "none"},
        "attention": {"kind": "multi_head", "num_heads": heads},
        "tie_embeddings": tie,
    }


def _tokenizer(
    folder: Path, files: TokenizerFiles
) -> tuple[tuple[Path, Path], tuple[Vocabulary, Vocabulary]]:
    """Return the SentencePiece models and the vocabularies of both sides."""
    source = files.source_spm or _one(folder, "source.spm", "*.spm", "--source-spm")
    target = files.target_spm or (
        source if files.source_spm else _one(folder, "target.spm", "*.spm", "--target-spm")
    )
    given, others = files.source_vocab, sorted(folder.glob("*vocab*.yml"))
    if given is None and len(others) > 1:
        listed = ", ".join(path.name for path in others)
        raise CheckpointError(
            f"{folder}: several vocabularies here ({listed:.200}); give --source-vocab and "
            "--target-vocab"
        )
    first = given or (others[0] if others else source)
    second = files.target_vocab or (first if given or others else target)
    return (source, target), (_vocabulary(first), _vocabulary(second))


def _one(folder: Path, name: str, pattern: str, flag: str) -> Path:
    """Return the file of a name, or else the only one of a pattern."""
    if (folder / name).is_file():
        return folder / name
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise MissingInputError(f"{folder}: no {name} and not one {pattern} here; give it: {flag}")
    return found[0]


def _vocabulary(path: Path) -> Vocabulary:
    """Read a vocabulary: pieces with their ids in YAML, or a SentencePiece model."""
    try:
        if path.suffix == ".spm":
            pieces = pieces_of(read_artifact(path, MAX_MODEL_BYTES))
        else:
            text = read_artifact(path, MAX_VOCABULARY_BYTES).decode()
            ids = {
                name: int(id) if isinstance(id, str) and id.isdecimal() else id
                for name, id in flat_yaml(text, path).items()
            }
            pieces = ordered(ids, path)
        missing = [piece for piece in ("<unk>", "</s>") if piece not in pieces]
        if missing:
            raise CheckpointError(f"{path}: has no piece {missing[0]}")
        unknown, end = pieces.index("<unk>"), pieces.index("</s>")
        return Vocabulary([*pieces, PAD], len(pieces), unknown, len(pieces), end)
    except (TokenizerError, UnicodeDecodeError) as error:
        raise TokenizerError(f"{path}: {error}") from error


def flat_yaml(text: str, where: Path) -> dict[str, str | list[str]]:
    """Return the entries of YAML whose values are scalars or lists of scalars, as Marian writes it.

    Raises:
        CheckpointError: the text has anything else.
    """
    found: dict[str, str | list[str]] = {}
    items: list[str] | None = None
    name = ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if not stripped or stripped.startswith("#") or stripped in ("---", "..."):
            continue
        if stripped.startswith("- ") and items is not None:
            items.append(_scalar(stripped[2:]))
            continue
        if stripped == "[]" and items is not None:  # an empty list has a line of its own
            found[name], items = "[]", None
            continue
        entry = _ENTRY.fullmatch(stripped)
        if entry is None:
            raise CheckpointError(
                f"{where}:{number}: expected `name: value` as Marian writes, found "
                f"{stripped[:40]!r}"
            )
        name, value = _scalar(entry[1]), (entry[2] or "").strip()
        items = None if value else []
        found[name] = _value(value) if items is None else items
    return found


def _value(text: str) -> str | list[str]:
    """Return a scalar, or a list in brackets."""
    if text.startswith("[") and text.endswith("]"):
        inner = text[1:-1].strip()
        return [_scalar(part.strip()) for part in inner.split(",")] if inner else "[]"
    return _scalar(text)


def _scalar(text: str) -> str:
    """Return a scalar without its quotes."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(_ESCAPE.sub(_of_json, text)))
        except ValueError:
            return text[1:-1]
    return text
