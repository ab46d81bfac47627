"""A `model.bin` may come from anywhere: what our export could not have written is refused."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2scli.errors import CheckpointError
from s2scli.export.model_bin import CONFIG, MODEL, SHARED, check_model, read_variables
from s2scli.settings import Tree
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.export.varieties import POSITIONS, VARIETIES, letters, variety
from tests.models import transformer_tree

pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")

Change = Callable[[Any], object]


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return letters()


def write(
    folder: Path,
    tokenizers: Tokenizers,
    tree: Tree,
    quantization: str | None = None,
    change: Change = lambda spec: None,
) -> Path:
    """Write a model whose specification was changed, in a way the library lets pass."""
    from s2scli.export.ctranslate2_spec import make_spec

    settings, model = variety(tree, tokenizers)
    spec = make_spec(settings, model.state_dict(), tokenizers, POSITIONS)
    change(spec)
    spec.validate()
    spec.optimize(quantization)
    spec.save(str(folder))
    return folder


@pytest.mark.parametrize("quantization", [None, "int8", "int16", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["pre-norm", "swiglu", "rotary", "rms post-norm", "tied"])
def test_what_is_exported_passes(
    name: str, quantization: str | None, tokenizers: Tokenizers, tmp_path: Path
) -> None:
    check_model(write(tmp_path, tokenizers, VARIETIES[name], quantization), tokenizers, POSITIONS)


def test_every_variable_is_seen_with_its_shape(tokenizers: Tokenizers, tmp_path: Path) -> None:
    found = read_variables(write(tmp_path, tokenizers, transformer_tree()) / MODEL)
    vocab_size = tokenizers.target.vocab_size
    assert found["encoder/embeddings_0/weight"].shape == (vocab_size, 8)
    assert found["decoder/layer_1/attention/linear_1/weight"].shape == (16, 8)
    assert found["decoder/num_heads"].value == 2


def narrow(spec: Any) -> None:
    spec.encoder.layer[0].ffn.layer_norm.gamma = np.ones(3, np.float32)


def no_heads(spec: Any) -> None:
    spec.decoder.num_heads = np.int16(0)


def three_heads(spec: Any) -> None:
    spec.encoder.num_heads = np.int16(3)


def few_words(spec: Any) -> None:
    spec.decoder.embeddings.weight = spec.decoder.embeddings.weight[:5]
    spec._vocabularies["target"][0] = spec._vocabularies["target"][0][:5]


def few_positions(spec: Any) -> None:
    spec.encoder.position_encodings.encodings = np.zeros((4, 8), np.float32)


def short_bias(spec: Any) -> None:
    spec.decoder.layer[0].ffn.linear_0.bias = np.zeros(2, np.float32)


def other_memory(spec: Any) -> None:
    spec.decoder.layer[0].attention.linear[1].weight = np.zeros((16, 5), np.float32)


def alibi(spec: Any) -> None:
    spec.decoder.alibi = True


def strange_activation(spec: Any) -> None:
    spec.encoder.activation = np.int8(99)


def whole_numbers(spec: Any) -> None:
    spec.encoder.layer_norm.gamma = np.ones(8, np.int8)


def quantized_without_scale(spec: Any) -> None:
    spec.decoder.projection.weight = np.ones((spec.decoder.projection.weight.shape), np.int8)


def one_scale_for_all_rows(spec: Any) -> None:
    quantized_without_scale(spec)
    spec.decoder.projection.__dict__["weight_scale"] = np.float32(1)


def flat(spec: Any) -> None:
    spec.encoder.embeddings[0].weight = np.ones(15, np.float32)


def surprise(spec: Any) -> None:
    spec.__dict__["surprise"] = np.ones(3, np.float32)


def surprise_inside(spec: Any) -> None:
    spec.decoder.__dict__["sliding_window"] = np.int32(1)


def lost_layer(spec: Any) -> None:
    spec.encoder.layer[0] = spec.encoder.layer[1]
    spec.encoder.__dict__["layer_7"] = spec.encoder.layer.pop()


@pytest.mark.parametrize(
    "change",
    [
        *(narrow, no_heads, three_heads, few_words, few_positions, short_bias, other_memory, alibi),
        *(strange_activation, whole_numbers, quantized_without_scale, surprise, surprise_inside),
        *(lost_layer, one_scale_for_all_rows, flat),
    ],
)
def test_a_model_of_other_shapes_is_refused(
    change: Change, tokenizers: Tokenizers, tmp_path: Path
) -> None:
    write(tmp_path, tokenizers, transformer_tree(), change=change)
    (tmp_path / SHARED).write_text(json.dumps(tokenizers.texts[0].vocabulary))
    with pytest.raises(CheckpointError, match="not a model") as raised:
        check_model(tmp_path, tokenizers, POSITIONS)
    assert "\n" not in str(raised.value)


def test_odd_heads_cannot_turn_pairs(tokenizers: Tokenizers, tmp_path: Path) -> None:
    def change(spec: Any) -> None:
        spec.encoder.num_heads = np.int16(8)

    write(tmp_path, tokenizers, transformer_tree(positions="rotary"), change=change)
    with pytest.raises(CheckpointError, match="heads have an odd width"):
        check_model(tmp_path, tokenizers, POSITIONS)


def with_first(name: bytes, shape: tuple[int, ...]) -> Callable[[bytes], bytes]:
    """Put a tensor of zeros before those of a file."""
    count = struct.Struct("<I")
    size = 4 * int(np.prod(shape))
    tensor = struct.pack(f"<H{len(name)}sB{len(shape)}I", len(name), name, len(shape), *shape)
    tensor += struct.pack("<BI", 0, size) + bytes(size)

    def spoil(content: bytes) -> bytes:
        (before,) = count.unpack_from(content, 26)
        return content[:26] + count.pack(before + 1) + tensor + content[30:]

    return spoil


def replace(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(old, new, 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:3],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: b"\x80\x05" + content,
        lambda content: struct.pack("<I", 5) + content[4:],
        replace(b"TransformerSpec\0", b"WhisperTransfoo\0"),
        replace(b"TransformerSpec\0" + struct.pack("<I", 7), b"TransformerSpec\0" + b"\x08\0\0\0"),
        replace(struct.pack("<II", 15, 8), struct.pack("<II", 2**32 - 1, 8)),
        lambda content: content[:22] + b"\xff\xff\xff\xff" + content[26:],
        lambda content: content[:-9] + b"\xff" * 9,
        with_first(b"encoder/layer_norm/gamma\0", (3,)),  # which the library would take
        with_first(b"encoder/surprise\0", (0,)),
        with_first(b"encoder/surprise", (3,)),
        with_first(b"encoder\0surprise\0", (3,)),
    ],
)
def test_a_damaged_file_is_refused(
    spoil: Callable[[bytes], bytes], tokenizers: Tokenizers, tmp_path: Path
) -> None:
    path = write(tmp_path, tokenizers, transformer_tree()) / MODEL
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    assert path.read_bytes() != whole
    with pytest.raises(CheckpointError, match="damaged"):
        read_variables(path)


@pytest.mark.parametrize("name", [MODEL, CONFIG, SHARED])
def test_a_missing_file_or_a_pipe_is_refused(
    name: str, tokenizers: Tokenizers, tmp_path: Path
) -> None:
    path = write(tmp_path, tokenizers, transformer_tree()) / name
    path.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        check_model(tmp_path, tokenizers, POSITIONS)
    if os.name != "nt":
        os.mkfifo(path)
        with pytest.raises(CheckpointError, match="not a regular file"):
            check_model(tmp_path, tokenizers, POSITIONS)


@pytest.mark.parametrize(
    "change",
    [{"quantization_type": 1}, {"decoder_start_token": "a"}, {"add_source_eos": False}],
)
def test_another_configuration_is_refused(
    change: Tree, tokenizers: Tokenizers, tmp_path: Path
) -> None:
    path = write(tmp_path, tokenizers, transformer_tree()) / CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match="not the configuration"):
        check_model(tmp_path, tokenizers, POSITIONS)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"{}", b'["a"]', b"\xff"])
def test_another_vocabulary_is_refused(
    content: bytes, tokenizers: Tokenizers, tmp_path: Path
) -> None:
    (write(tmp_path, tokenizers, transformer_tree()) / SHARED).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged JSON|expected exactly the pieces"):
        check_model(tmp_path, tokenizers, POSITIONS)


def test_too_large_a_vocabulary_is_not_read(
    tokenizers: Tokenizers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2scli.export.model_bin.MAX_VOCABULARY_BYTES", 10)
    with pytest.raises(CheckpointError, match="too large"):
        check_model(write(tmp_path, tokenizers, transformer_tree()), tokenizers, POSITIONS)
