"""Read a MarianMTModel of HuggingFace Transformers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from s2scli.artifacts import first_fault, read_artifact, read_json
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
from s2scli.export.huggingface import (
    CONFIG,
    GENERATION,
    SOURCE,
    TARGET,
    TARGET_VOCABULARY,
    TOKENIZER,
    VOCABULARY,
    WEIGHTS,
)
from s2scli.export.marian import BIAS, HEAD, SHARED, SIDES, embeddings_of, layer_names
from s2scli.model.transformer.positions import sinusoids
from s2scli.settings import Tree
from s2scli.tokenizer.adopted import Vocabulary

PICKLED = "pytorch_model.bin"
MAX_VOCABULARY_BYTES = 64_000_000
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "silu": "silu", "swish": "silu"}
CLOSE = 1e-3  # largest difference from sinusoidal positions; they may be stored in 16 bits

Count = Annotated[int, Field(ge=1, le=65_536)]


class MarianConfig(BaseModel):
    """What `config.json` says of a MarianMTModel; what it leaves out has the library's default."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    d_model: Count = 1024
    vocab_size: Annotated[int, Field(ge=1, le=1_000_000)] = 58101
    encoder_layers: Count = 12
    decoder_layers: Count = 12
    encoder_attention_heads: Count = 16
    decoder_attention_heads: Count = 16
    encoder_ffn_dim: Count = 4096
    decoder_ffn_dim: Count = 4096
    activation_function: str = "gelu"
    scale_embedding: bool = False
    max_position_embeddings: Annotated[int, Field(ge=2, le=1_000_000)] = 1024
    share_encoder_decoder_embeddings: bool = True
    tie_word_embeddings: bool = True
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    pad_token_id: int = 58100
    eos_token_id: int = 0
    decoder_start_token_id: int = 58100


def is_huggingface(path: Path) -> bool:
    """Whether a path is a folder of HuggingFace Transformers."""
    return (path / CONFIG).is_file() and any((path / name).is_file() for name in (WEIGHTS, PICKLED))


def read_huggingface(folder: Path, files: TokenizerFiles) -> Foreign:
    """Read a folder of a MarianMTModel and a MarianTokenizer.

    Raises:
        MissingInputError: a file is missing.
        CheckpointError: the model is damaged, or not a Transformer that s2s has.
        TokenizerError: the tokenizer is damaged.
    """
    config = read_config(folder / CONFIG)
    weights = folder / WEIGHTS if (folder / WEIGHTS).is_file() else folder / PICKLED
    tensors = read_checkpoint(weights).tensors
    spms = (files.source_spm or folder / SOURCE, files.target_spm or folder / TARGET)
    for path in spms:
        if not path.is_file():
            raise MissingInputError(f"{path}: no such file; expected a SentencePiece model")
    vocabularies = _vocabularies(folder, files, config)
    tokenizers, source, target = adopt_tokenizers(spms, vocabularies)
    tables = _tables(tensors, config, weights)
    check_rows(tables.source, vocabularies[0].pieces, weights)
    check_rows(tables.target, vocabularies[1].pieces, weights)
    _check_positions(tensors, weights)
    layers = {"encoder": config.encoder_layers, "decoder": config.decoder_layers}
    return Foreign(
        "HuggingFace Transformers",
        model_tree(config, tables.tie(joint=tokenizers.joint)),
        _search(folder),
        config.max_position_embeddings - 1,
        {**join(layer_names(layers), tensors, weights), **tables.weights(source, target)},
        tokenizers,
    )


def read_config(path: Path) -> MarianConfig:
    """Read `config.json`.

    Raises:
        CheckpointError: it is damaged, or describes another architecture.
    """
    tree = read_json(path)
    if tree.get("model_type") != "marian":
        raise CheckpointError(
            f"{path}: a model of the type {tree.get('model_type')!r:.40}; s2s imports models of "
            "the type 'marian'"
        )
    try:
        config = MarianConfig.model_validate_json(json.dumps(tree))
    except ValidationError as error:
        raise CheckpointError(f"{path}: {first_fault(error)}") from error
    if config.activation_function not in ACTIVATIONS:
        raise CheckpointError(
            f"{path}: the activation {config.activation_function!r:.40}; expected one of "
            f"{', '.join(ACTIVATIONS)}"
        )
    return config


def model_tree(config: MarianConfig, tie: str) -> Tree:
    """Return the settings of the model that a configuration describes."""
    stacks = {
        stack: {
            "kind": "transformer",
            "model_dim": config.d_model,
            "num_layers": getattr(config, f"{stack}_layers"),
            "num_heads": getattr(config, f"{stack}_attention_heads"),
            "ffn_dim": getattr(config, f"{stack}_ffn_dim"),
            "activation": ACTIVATIONS[config.activation_function],
            "norm_first": False,
            "dropout": config.dropout,
        }
        for stack in SIDES
    }
    return {
        **stacks,
        **{side: {"embedding_dim": config.d_model} for side in SIDES.values()},
        "connection": {"kind": "none"},
        "attention": {"kind": "multi_head", "num_heads": config.decoder_attention_heads},
        "tie_embeddings": tie,
    }


def _tables(tensors: Mapping[str, Tensor], config: MarianConfig, where: Path) -> Tables:
    """Return the embeddings and the output layer; ours are scaled by the root of their width."""
    if config.share_encoder_decoder_embeddings:
        name = SHARED if SHARED in tensors else embeddings_of("encoder")
        source = target = float32(tensors, name, where)
    else:
        source, target = (float32(tensors, embeddings_of(stack), where) for stack in SIDES)
    output = target if config.tie_word_embeddings else float32(tensors, HEAD, where)
    bias = tensors[BIAS].float().flatten() if BIAS in tensors else torch.zeros(len(output))
    if output.shape != target.shape or len(bias) != len(output):
        raise CheckpointError(
            f"{where}: the output layer has the shape {tuple(output.shape)} and a bias of "
            f"{len(bias)}, expected {tuple(target.shape)} as the embeddings"
        )
    if config.scale_embedding:
        return Tables(source, target, output, bias)
    down = config.d_model**-0.5
    return Tables(source * down, target * down, output, bias)


def _check_positions(tensors: Mapping[str, Tensor], where: Path) -> None:
    """Check that stored positions are sinusoidal."""
    for stack in SIDES:
        found = tensors.get(f"model.{stack}.embed_positions.weight")
        if found is None:
            continue
        expected = sinusoids(torch.arange(len(found)), found.shape[-1])
        if found.shape != expected.shape or not (found.float() - expected).abs().max() < CLOSE:
            raise CheckpointError(
                f"{where}: the positions of the {stack} are not sinusoidal, as those of a "
                "MarianMTModel are"
            )


def _vocabularies(
    folder: Path, files: TokenizerFiles, config: MarianConfig
) -> tuple[Vocabulary, Vocabulary]:
    """Return the vocabularies of both sides."""
    source = files.source_vocab or folder / VOCABULARY
    separate = folder / TARGET_VOCABULARY
    said = read_json(folder / TOKENIZER) if (folder / TOKENIZER).is_file() else {}
    unknown = str(said.get("unk_token", "<unk>"))
    target = files.target_vocab or (separate if said.get("separate_vocabs") else source)
    first = _vocabulary(source, config, unknown)
    return first, first if target == source else _vocabulary(target, config, unknown)


def _vocabulary(path: Path, config: MarianConfig, unknown: str) -> Vocabulary:
    """Read a vocabulary: a JSON object of pieces and their ids."""
    try:
        ids = json.loads(read_artifact(path, MAX_VOCABULARY_BYTES))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged JSON ({error!s:.200})") from error
    pieces = ordered(ids, path)
    if unknown not in ids:
        raise CheckpointError(f"{path}: has no piece {unknown!r:.40}, the unknown token")
    return Vocabulary(
        pieces,
        config.pad_token_id,
        ids[unknown],
        config.decoder_start_token_id,
        config.eos_token_id,
    )


def ordered(ids: Any, path: Path) -> list[str]:
    """Return the pieces of a vocabulary in the order of their ids.

    Raises:
        CheckpointError: it is not an object of pieces with the ids 0, 1, 2 and so on.
    """
    fits = isinstance(ids, dict) and all(type(id) is int for id in ids.values())
    if not fits or sorted(ids.values()) != list(range(len(ids))):
        raise CheckpointError(f"{path}: expected pieces with the ids 0, 1, 2 and so on")
    return sorted(ids, key=ids.__getitem__)


def _search(folder: Path) -> Tree:
    """Return the search settings that the folder records."""
    path = folder / GENERATION
    said = read_json(path) if path.is_file() else read_json(folder / CONFIG)
    names = {"num_beams": "beam_size", "length_penalty": "length_penalty"}
    return {ours: said[theirs] for theirs, ours in names.items() if said.get(theirs) is not None}
