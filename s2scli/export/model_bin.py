"""Check CTranslate2's `model.bin` before the library reads it. Imports no torch.

The library does not check shapes: with a wrong one it reads past the end of a table. So every name,
type and shape in the file must be one that our export writes.
"""

import json
import math
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from s2scli.artifacts import open_artifact, read_artifact, read_json
from s2scli.errors import CheckpointError
from s2scli.special_ids import BOS_ID, EOS_ID, UNK_ID
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Tokenizers

MODEL, CONFIG = "model.bin", "config.json"
SHARED, SOURCE, TARGET = (f"{name}_vocabulary.json" for name in ("shared", "source", "target"))
MAX_VARIABLES, MAX_NAME_BYTES, MAX_VOCABULARY_BYTES = 10_000, 200, 64_000_000
VERSION, REVISION, SPEC = 6, 7, "TransformerSpec"
TYPES = ("f", "b", "h", "i", "e", "e")  # float32, int8, int16, int32, float16, bfloat16

# D: width of the layers; M: width of the memory; V: vocabulary; F: feed-forward width; P: positions
TENSORS = {
    r"embeddings(_0)?/weight": ("V", "D"),
    r"projection/weight": ("V", "D"),
    r"position_encodings/encodings": ("P", "D"),
    r"(layer_\d+/(self_attention|attention|ffn)/)?layer_norm/(gamma|beta)": ("D",),
    r"layer_\d+/self_attention/linear_0/weight": ("3D", "D"),
    r"layer_\d+/(self_attention/linear_1|attention/linear_[02])/weight": ("D", "D"),
    r"layer_\d+/attention/linear_1/weight": ("2D", "M"),
    r"layer_\d+/ffn/linear_0(_noact)?/weight": ("F", "D"),
    r"layer_\d+/ffn/linear_1/weight": ("D", "F"),
}
SCALARS: dict[str, tuple[float, ...]] = {
    r"activation": (0, 2, 3),
    r"pre_norm|scale_embeddings": (0, 1),
    r"alibi|alibi_use_positive_positions|scale_alibi|start_from_zero_embedding": (0,),
    r"embeddings_merge|multi_query_attention": (0,),
    r"alignment_heads": (1,),
    r"alignment_layer": (-1,),
    r"layer_\d+/self_attention/rotary_(dim|interleave)": (0,),
    r"layer_\d+/self_attention/rotary_base": (10000,),
}


@dataclass(frozen=True)
class Variable:
    """A variable in the file: its shape, `struct` type code, and value if it is a scalar."""

    shape: tuple[int, ...]
    type: str
    value: float | None


def check_model(folder: Path, tokenizers: Tokenizers, positions: int) -> None:
    """Check that a folder holds a CTranslate2 model that our export could have written.

    Args:
        folder: the folder to check.
        tokenizers: the tokenizers whose pieces the vocabularies must hold.
        positions: the maximum length of source and target, in tokens.

    Raises:
        CheckpointError: a file is missing, damaged or not what our export writes.
    """
    shared = (folder / SHARED).exists()
    source, target = tokenizers.texts
    for name, tokenizer in ((SOURCE, source), (TARGET, target)):
        _check_vocabulary(folder / (SHARED if shared else name), tokenizer)
    _check_config(folder / CONFIG, source, target)
    path = folder / MODEL
    variables = read_variables(path)
    try:
        _check_stack(variables, "encoder", source.vocab_size, positions)
        _check_stack(variables, "decoder", target.vocab_size, positions)
        others = [name for name in variables if not name.startswith(("encoder/", "decoder/"))]
        if others:
            raise ValueError(f"{others[0]} is not a known variable")
    except (ValueError, KeyError, IndexError) as error:
        raise CheckpointError(f"{path}: not a model that s2s exported ({error!s:.200})") from error


def read_variables(path: Path) -> dict[str, Variable]:
    """Return the variables in `model.bin` by name, without reading the tensors.

    Raises:
        CheckpointError: the file is damaged.
    """
    try:
        with open_artifact(path) as file:
            size = os.fstat(file.fileno()).st_size
            if _read(file, "I") != VERSION or _read_name(file) != SPEC:
                raise ValueError(f"expected version {VERSION} of a {SPEC}")
            if _read(file, "I") != REVISION:
                raise ValueError(f"expected revision {REVISION}")
            variables: dict[str, Variable] = {}
            for _ in range(_read_count(file)):
                _add(variables, *_read_variable(file))
            for _ in range(_read_count(file)):
                alias, name = _read_name(file), _read_name(file)
                _add(variables, alias, variables[name])
                if f"{name}_scale" in variables:  # the library shares it too
                    _add(variables, f"{alias}_scale", variables[f"{name}_scale"])
            if file.tell() != size:
                raise ValueError(f"found {size} bytes, expected {file.tell()}")
    except (ValueError, KeyError, IndexError, struct.error, OSError) as error:
        raise CheckpointError(f"{path}: damaged, not a model of CTranslate2 ({error})") from error
    return variables


def _add(variables: dict[str, Variable], name: str, variable: Variable) -> None:
    """Add a variable; refuse a repeated name, because the library would use the first one."""
    if variables.setdefault(name, variable) is not variable:
        raise ValueError(f"{name} appears twice")


def _read_variable(file: BinaryIO) -> tuple[str, Variable]:
    name = _read_name(file)
    shape = tuple(int(_read(file, "I")) for _ in range(int(_read(file, "B"))))
    if not all(shape):
        raise ValueError(f"{name} has the shape {shape}, expected sizes above 0")
    type = TYPES[int(_read(file, "B"))]
    expected = math.prod(shape) * struct.calcsize(type)
    if int(_read(file, "I")) != expected:
        raise ValueError(f"{name} has the wrong number of bytes for its shape")
    if not shape:
        return name, Variable(shape, type, _read(file, type))
    file.seek(expected, 1)
    return name, Variable(shape, type, None)


def _read_count(file: BinaryIO) -> int:
    count = int(_read(file, "I"))
    if count > MAX_VARIABLES:
        raise ValueError(f"{count} variables are too many (limit {MAX_VARIABLES})")
    return count


def _read_name(file: BinaryIO) -> str:
    length = int(_read(file, "H"))
    if not 1 < length <= MAX_NAME_BYTES:
        raise ValueError(
            f"the name of a variable has {length} bytes, expected 2 to {MAX_NAME_BYTES}"
        )
    name = file.read(length)
    if name.find(b"\0") != length - 1:  # the library ends the name there
        raise ValueError("the name of a variable does not end with a zero byte")
    return name[:-1].decode("ascii")


def _read(file: BinaryIO, type: str) -> float:
    (value,) = struct.unpack(f"<{type}", file.read(struct.calcsize(f"<{type}")))
    return float(value) if type in "ef" else int(value)


def _check_stack(
    variables: Mapping[str, Variable], side: str, vocab_size: int, positions: int
) -> None:
    """Check all variables of the encoder or the decoder.

    Raises:
        ValueError: a variable is not valid.
        KeyError: a variable is missing.
    """
    own = {
        name.partition("/")[2]: variable
        for name, variable in variables.items()
        if name.startswith(f"{side}/")
    }
    width = own["embeddings_0/weight" if side == "encoder" else "embeddings/weight"].shape[1]
    sizes = {
        **{"D": width, "2D": 2 * width, "3D": 3 * width, "V": vocab_size, "P": positions},
        "M": variables["encoder/embeddings_0/weight"].shape[1],
        "F": own["layer_0/ffn/linear_0/weight"].shape[0],
    }
    heads = own["num_heads"].value
    if not heads or heads < 1 or width % heads:
        raise ValueError(f"{side}/num_heads is {heads}, which does not divide the width {width}")
    if "layer_0/self_attention/rotary_dim" in own and width / heads % 2:
        raise ValueError(
            f"{side} has rotary positions, but its heads have an odd width ({width} / {heads:g})"
        )
    for name, variable in own.items():
        _check_variable(f"{side}/{name}", variable, _expected(name, own, sizes))
        if variable.shape and not _fits_type(name, variable, own):
            raise ValueError(f"{side}/{name} is neither floating point nor quantized with a scale")
    layers = {int(found[1]) for name in own if (found := re.match(r"layer_(\d+)/", name))}
    if layers != set(range(len(layers))):
        raise ValueError(f"{side} has layers {sorted(layers)!s:.80}, expected 0, 1, 2 and so on")


def _fits_type(name: str, variable: Variable, own: Mapping[str, Variable]) -> bool:
    """Return whether a tensor is floating point, or a quantized weight with a scale."""
    whole = variable.type in "bh" and name.endswith("/weight")
    return variable.type in "fe" or (whole and f"{name}_scale" in own)


def _expected(
    name: str, own: Mapping[str, Variable], sizes: Mapping[str, int]
) -> tuple[tuple[tuple[int, ...], ...], tuple[float, ...]]:
    """Return the allowed shapes and the allowed values of a variable; no values allow any."""
    for pattern, shape in TENSORS.items():
        if re.fullmatch(pattern, name):
            return (tuple(sizes[size] for size in shape),), ()
    for pattern, values in SCALARS.items():
        if re.fullmatch(pattern, name):
            return ((),), values
    if name == "num_heads":
        return ((),), ()
    stem, _, last = name.rpartition("/")
    if last == "bias":
        return (own[f"{stem}/weight"].shape[:1],), ()
    if last == "weight_scale":
        weight = own[f"{stem}/weight"]
        return (() if weight.type == "h" else weight.shape[:1],), ()  # int16: one scale for all
    raise ValueError(f"{name} is not a known variable")


def _check_variable(
    name: str,
    variable: Variable,
    expected: tuple[tuple[tuple[int, ...], ...], tuple[float, ...]],
) -> None:
    shapes, values = expected
    if variable.shape not in shapes:
        raise ValueError(f"{name} has the shape {variable.shape}, expected {shapes[0]}")
    if values and variable.value not in values:
        raise ValueError(f"{name} is {variable.value}, expected one of {values}")


def _check_config(path: Path, source: SentencePiece, target: SentencePiece) -> None:
    """Check that the configuration holds exactly what our export writes.

    Other entries could change how the library reads the weights.
    """
    config, pieces = read_json(path), target.vocabulary
    config.pop("layer_norm_epsilon", None)  # any number is safe
    if config != {
        "add_source_bos": False,
        "add_source_eos": source.ends,
        "bos_token": pieces[BOS_ID],
        "decoder_start_token": pieces[BOS_ID],
        "eos_token": pieces[EOS_ID],
        "multi_query_attention": False,
        "unk_token": pieces[UNK_ID],
    }:
        raise CheckpointError(f"{path}: not the configuration of a model that s2s exported")


def _check_vocabulary(path: Path, tokenizer: SentencePiece) -> None:
    """Check that a vocabulary file holds exactly the tokenizer's pieces."""
    content = read_artifact(path, MAX_VOCABULARY_BYTES)
    try:
        pieces = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged JSON ({error})") from error
    if pieces != tokenizer.vocabulary:
        raise CheckpointError(f"{path}: expected exactly the pieces of the tokenizer")
