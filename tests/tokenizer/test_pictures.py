"""Pictures become tokens and pictures again; every sequence of tokens is a picture."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from s2scli.errors import CheckpointError, TokenizerError
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer import pictures as module
from s2scli.tokenizer.pictures import (
    SPECIAL,
    Bits,
    Codebook,
    Patches,
    Pixels,
    learn_codebook,
    load_codebook,
    read_picture_description,
)


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def codebook(centres: int = 7, **sizes: int) -> Codebook:
    tree = {
        **{"height": 5, "width": 6, "channels": 3, "patch_height": 2, "patch_width": 4},
        **sizes,
    }
    patches = Patches.model_validate(tree)
    return Codebook(patches, noise(centres, patches.grid.block_size))


sides = st.integers(1, 9)


@given(sides, sides, st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_bits_are_lossless(height: int, width: int, rows: int, columns: int, seed: int) -> None:
    bits = Bits(height=height, width=width, block_height=rows, block_width=columns)
    pixels = noise(height, width, 1, seed=seed)
    ids = bits.encode(pixels)
    assert len(ids) == bits.num_tokens
    assert all(len(SPECIAL) <= id < bits.vocab_size for id in ids)
    assert np.array_equal(bits.decode(ids), np.where(pixels >= 128, 255, 0))


def test_a_block_is_a_binary_number_in_reading_order() -> None:
    pixels = np.zeros((3, 5, 1), np.uint8)
    pixels[0, 0] = pixels[1, 3] = 128
    pixels[0, 1] = 127
    pixels[2, 4] = 255
    assert Bits(height=3, width=5).encode(pixels) == [4 + 0b1000_0001, 4, 4, 4 + 0b1000_0000]


@given(st.lists(st.integers(-5, 400), max_size=9))
def test_every_sequence_of_bits_is_a_picture(ids: list[int]) -> None:
    bits = Bits(height=3, width=7)  # of four tokens
    decoded = bits.decode(ids)
    assert decoded.shape == (3, 7, 1) and decoded.dtype == np.uint8
    valid = [id if len(SPECIAL) <= id < bits.vocab_size else 4 for id in (*ids, *[4] * 4)][:4]
    assert np.array_equal(decoded, bits.decode(valid))


@pytest.mark.parametrize(
    ("sizes", "block", "piece"),
    [
        ((2, 4), [[1, 0, 0, 0], [1, 1, 0, 1]], "▙▗"),
        ((2, 4), [[0, 0, 0, 0], [0, 0, 1, 1]], "·▄"),
        ((1, 3), [[1, 1, 1]], "▀▘"),
        ((3, 1), [[1], [0], [1]], "#5"),
    ],
)
def test_blocks_are_shown(sizes: tuple[int, int], block: list[list[int]], piece: str) -> None:
    height, width = sizes
    bits = Bits(height=height, width=width, block_height=height, block_width=width)
    [id] = bits.encode(np.array(block, np.uint8)[..., None] * 255)
    assert bits.piece(id) == piece
    assert bits.piece(EOS_ID) == "</s>"


def test_a_patch_is_its_nearest_centre() -> None:
    book, pixels = codebook(), noise(5, 6, 3, seed=1)
    filled = np.zeros((6, 8, 3))
    filled[:5, :6] = pixels
    expected = []
    for top in (0, 2, 4):
        for left in (0, 4):
            patch = filled[top : top + 2, left : left + 4].ravel()
            distances = [((patch - centre) ** 2).sum() for centre in book.centres.astype(float)]
            expected.append(4 + int(np.argmin(distances)))
    assert book.encode(pixels) == expected
    decoded = book.decode(expected)
    assert decoded.shape == (5, 6, 3)
    assert np.array_equal(decoded[:2, :4].ravel(), book.centres[expected[0] - 4])


@given(st.lists(st.integers(-5, 20), max_size=9))
def test_every_sequence_of_patches_is_a_picture(ids: list[int]) -> None:
    book = codebook()
    decoded = book.decode(ids)
    assert decoded.shape == (5, 6, 3) and decoded.dtype == np.uint8
    for index in range(book.num_tokens):
        top, left = 2 * (index // 2), 4 * (index % 2)
        patch = decoded[top : top + 2, left : left + 4]
        if index >= len(ids) or not 4 <= ids[index] < book.vocab_size:
            assert not patch.any()
        else:
            centre = book.centres[ids[index] - 4].reshape(2, 4, 3)
            assert np.array_equal(patch, centre[: patch.shape[0], : patch.shape[1]])


def test_tokens_of_a_codebook_are_numbered() -> None:
    assert [codebook().piece(id) for id in (0, 3, 4, 10)] == ["<pad>", "</s>", "#0", "#6"]


@pytest.mark.parametrize("pixels", [noise(6, 5, 3), noise(5, 6, 1), noise(5, 6, 3) / 255])
def test_pictures_of_another_shape_are_refused(pixels: Pixels) -> None:
    with pytest.raises(TokenizerError, match=r"expected a picture .* \[5, 6, 3\], found"):
        codebook().encode(pixels)


def test_few_patches_are_learned_exactly() -> None:
    pictures = [np.repeat(noise(4, 8, 1, seed=seed)[:1, :1], 4, 0).repeat(8, 1) for seed in (1, 2)]
    book = learn_codebook(pictures * 5, size=9)
    assert len(book.centres) == 2
    assert book.reconstruction_error(pictures) == 0.0


def test_clusters_are_found() -> None:
    random = np.random.default_rng(0)
    centres = random.integers(20, 230, (6, 16))
    chosen = random.integers(0, 6, 400)
    patches = (centres[chosen] + random.integers(-2, 3, (400, 16))).astype(np.uint8)
    pictures = [patch.reshape(4, 4, 1) for patch in patches]
    book = learn_codebook(pictures, size=6)
    assert book.reconstruction_error(pictures) < 2.5 / 255**2
    assert len({tuple(book.encode(picture)) for picture in pictures}) == 6
    found = [np.abs(book.centres - centre).max(1).min() for centre in centres.astype(float)]
    assert max(found) <= 1.5


def test_more_centres_make_a_smaller_error_and_all_have_members() -> None:
    pictures = [noise(8, 8, 3, seed=seed) for seed in range(40)]
    books = [learn_codebook(pictures, size=size, patch=2) for size in (1, 8, 64)]
    errors = [book.reconstruction_error(pictures) for book in books]
    assert errors == sorted(errors, reverse=True) and errors[2] < 0.6 * errors[0]
    assert [len(book.centres) for book in books] == [1, 8, 64]
    used = {id for picture in pictures for id in books[2].encode(picture)}
    assert len(used) == 64


def test_one_centre_is_the_mean_of_all_patches() -> None:
    pictures = [noise(4, 4, 1, seed=seed) for seed in range(9)]
    book = learn_codebook(pictures, size=1)
    mean = np.mean([picture.ravel() for picture in pictures], 0)
    assert np.abs(book.centres[0] - mean).max() <= 0.5


def test_the_error_is_that_of_the_formula() -> None:
    book, pictures = codebook(), [noise(5, 6, 3, seed=seed) for seed in (3, 4)]
    decoded = np.stack([book.decode(book.encode(picture)) for picture in pictures]).astype(float)
    expected = ((decoded / 255 - np.stack(pictures) / 255) ** 2).mean()
    assert book.reconstruction_error(iter(pictures)) == pytest.approx(expected)


def test_learning_depends_on_the_seed_alone() -> None:
    pictures = [noise(8, 8, 1, seed=seed) for seed in range(20)]
    books = [learn_codebook(iter(pictures), size=9, seed=seed) for seed in (1, 1, 2)]
    assert books[0].digest == books[1].digest != books[2].digest


def test_empty_clusters_start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_first_centres", lambda values, *rest: values[[0] * 9])
    pictures = [noise(8, 8, 1, seed=seed) for seed in range(20)]
    book = learn_codebook(pictures, size=9)
    assert len({id for picture in pictures for id in book.encode(picture)}) == 9


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [noise(8, 8, 1, seed=seed) for seed in range(20)]
    whole = learn_codebook(pictures, size=9)
    monkeypatch.setattr(module, "DISTANCES", 20)
    assert learn_codebook(pictures, size=9).digest == whole.digest


def test_a_large_corpus_is_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 100)
    seen: list[int] = []

    def blocks() -> Iterator[Pixels]:
        for index in range(200):
            yield np.full((10, 1), index, np.uint8)

    for seed in range(20):
        sample = module._sample(blocks(), np.random.default_rng(seed))
        assert sample.shape == (100, 1)
        seen.extend(sample[:, 0].tolist())
    assert np.mean(seen) == pytest.approx(99.5, abs=5)  # 4 standard errors


@pytest.mark.parametrize(
    ("pictures", "size", "message"),
    [
        ([], 9, "no pictures"),
        ([noise(4, 4)], 9, r"expected pictures \[H, W, C\]"),
        ([noise(4, 4, 2)], 9, "codebook: codebook.channels"),
        ([noise(4, 4, 1), noise(4, 5, 1)], 9, r"expected a picture .* found uint8 \[4, 5, 1\]"),
        ([noise(4, 4, 1)], 0, "0 centres: expected 1"),
        ([noise(4, 4, 1)], 10**9, "1000000000 centres"),
    ],
)
def test_wrong_pictures_are_not_learned(pictures: list[Pixels], size: int, message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        learn_codebook(pictures, size=size)


def test_an_error_of_no_pictures_is_refused() -> None:
    with pytest.raises(TokenizerError, match="no pictures"):
        codebook().reconstruction_error([])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    book = codebook()
    (tmp_path / "a.safetensors").write_bytes(book.content)
    patches = read_picture_description(book.patches.model_dump(), "tokenizer.json")
    assert isinstance(patches, Patches)
    loaded = load_codebook(tmp_path / "a.safetensors", patches)
    assert loaded.digest == book.digest and np.array_equal(loaded.centres, book.centres)
    bits = Bits(height=3, width=5)
    assert read_picture_description(bits.model_dump(), "tokenizer.json") == bits


def test_digests_tell_tokenizers_apart() -> None:
    tokenizers: list[Bits | Codebook] = [
        *(Bits(height=4, width=8), Bits(height=8, width=4), Bits(height=4, width=8, block_width=2)),
        *(codebook(), codebook(8), codebook(width=7)),
    ]
    assert len({tokenizer.digest for tokenizer in tokenizers}) == 6


BITS = {"kind": "bits", "height": 4, "width": 8}
PATCHES = {"kind": "codebook", "height": 4, "width": 8, "channels": 1}


@pytest.mark.parametrize(
    "tree",
    [
        *({**BITS, "height": value} for value in (0, -1, 10**9, 4.0, "4", None, True)),
        *({**BITS, "block_height": value} for value in (0, 17)),
        {**BITS, "block_height": 5},
        {**BITS, "height": 16_000, "width": 16_000},
        {**PATCHES, "height": 16_000, "width": 16_000},
        {**BITS, "path": "x"},
        {**BITS, "kind": "pickle"},
        {"height": 4, "width": 8},
        *({**PATCHES, "channels": value} for value in (0, 2, 4, None)),
        *({**PATCHES, "patch_height": value} for value in (0, 65)),
        [],
        None,
    ],
)
def test_a_wrong_description_is_refused(tree: object) -> None:
    with pytest.raises(TokenizerError, match=r"^tokenizer.json: ") as caught:
        read_picture_description(tree, "tokenizer.json")
    assert "\n" not in str(caught.value)


def test_a_wrong_block_is_refused() -> None:
    with pytest.raises(ValidationError, match="at most 16 pixels"):
        Bits(height=4, width=4, block_height=3, block_width=6)


SIZE = codebook().patches.grid.block_size


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"centres": noise(7, SIZE + 1)}, "shape"),
        ({"centres": noise(7, SIZE).astype(np.float32)}, "found float32"),
        ({"centres": noise(SIZE)}, "shape"),
        ({"centres": noise(0, SIZE)}, "found 0"),
        ({"centres": noise(65_537, SIZE)}, "found 65537"),
        ({"other": noise(7, SIZE)}, "expected one tensor, 'centres'"),
        ({"centres": noise(7, SIZE), "other": noise(1)}, "expected one tensor, 'centres'"),
    ],
)
def test_wrong_centres_are_refused(
    tensors: dict[str, Pixels], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors.numpy.save(tensors))
    with pytest.raises(TokenizerError, match=message) as caught:
        load_codebook(path, codebook().patches)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_damaged_codebook_is_refused(tmp_path: Path) -> None:
    path, content = tmp_path / "a.safetensors", codebook().content
    header = b'{"centres":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    odd = len(header).to_bytes(8, "little") + header + b"ab"
    for damaged in (b"", content[:-1], b"\xff" * 8, content[:8] + b"x" + content[9:], odd):
        path.write_bytes(damaged)
        with pytest.raises(TokenizerError, match=r"a.safetensors: "):
            load_codebook(path, codebook().patches)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of Unix")
def test_a_pipe_is_no_codebook(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    for name in ("a", "b"):
        with pytest.raises(CheckpointError):
            load_codebook(tmp_path / name, codebook().patches)
