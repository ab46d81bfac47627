import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2scli.errors import CheckpointError, TokenizerError, UsageError
from s2scli.manifest import SAFE_NAME
from s2scli.sides import Picture, Sides, Sound
from s2scli.tokenizer.pictures import Bits, Codebook, learn_codebook
from s2scli.tokenizer.tokenizers import DESCRIPTION, Tokenizers
from tests.tokenizer.samples import learn


def separate() -> Tokenizers:
    return Tokenizers(learn("char", normalization="nfc"), learn("word", normalization="nfc"), False)


def joint() -> Tokenizers:
    both = learn()
    return Tokenizers(both, both, True)


@pytest.mark.parametrize("make", [separate, joint])
def test_what_is_written_is_loaded(make: Any, tmp_path: Path) -> None:
    tokenizers = make()
    tokenizers.write(tmp_path)
    loaded = Tokenizers.load(tmp_path)
    assert loaded == tokenizers
    assert loaded.digest == tokenizers.digest
    assert (loaded.source is loaded.target) is tokenizers.joint
    assert all(SAFE_NAME.fullmatch(path.name) for path in tmp_path.iterdir())


@pytest.mark.parametrize("make", [separate, joint])
def test_sources_without_end_tokens_stay_so(make: Any, tmp_path: Path) -> None:
    usual = make()
    endless = replace(usual, source=replace(usual.source, ends=False))
    endless.write(tmp_path)
    assert json.loads((tmp_path / DESCRIPTION).read_text())["source_end"] is False
    assert Tokenizers.load(tmp_path) == endless
    assert endless.digest != usual.digest


def test_the_digest_stands_for_both_sides() -> None:
    one, other = learn("char"), learn("word")
    pairs = [(one, other, False), (other, one, False), (one, one, False), (one, one, True)]
    assert len({Tokenizers(*pair).digest for pair in pairs}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joint": 1}, r"tokenizer.json: joint: .* found 1"),
        ({"source": "os.system"}, r"tokenizer.json: source: .* found 'os.system'"),
        ({"normalization": None}, r"tokenizer.json: normalization: "),
        ({"model": "../../x"}, r"tokenizer.json: model: "),
    ],
)
def test_a_wrong_description_is_refused(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    joint().write(tmp_path)
    path = tmp_path / DESCRIPTION
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(TokenizerError, match=message):
        Tokenizers.load(tmp_path)


@pytest.mark.parametrize("name", [DESCRIPTION, "source.model", "target.model"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    separate().write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}: missing"):
        Tokenizers.load(tmp_path)


def picture_codebook() -> Codebook:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    return learn_codebook(pictures, size=5)


MEDIA: dict[str, tuple[Tokenizers, Sides, str]] = {
    "sound": (
        Tokenizers(Sound(8000), learn(), False),
        Sides(Sound(8000)),
        "audio to text",
    ),
    "pictures": (
        Tokenizers(Picture(8, None, 3), learn(), False),
        Sides(Picture(8, None, 3)),
        "image to text",
    ),
    "bits": (
        Tokenizers(learn(), Bits(height=6, width=8), False),
        Sides(None, Picture(6, 8, 1)),
        "text to image",
    ),
    "codebook": (
        Tokenizers(Picture(8, None, 1), picture_codebook(), False),
        Sides(Picture(8, None, 1), Picture(8, 8, 3)),
        "image to image",
    ),
}
each_media = pytest.mark.parametrize(
    ("tokenizers", "sides", "described"), MEDIA.values(), ids=MEDIA.keys()
)


@each_media
def test_sound_and_pictures_are_loaded_as_written(
    tokenizers: Tokenizers, sides: Sides, described: str, tmp_path: Path
) -> None:
    tokenizers.write(tmp_path)
    loaded = Tokenizers.load(tmp_path)
    assert loaded.digest == tokenizers.digest
    assert loaded.sides == tokenizers.sides == sides
    assert loaded.reads == tokenizers.reads
    assert loaded.vocab_sizes == tokenizers.vocab_sizes
    assert all(SAFE_NAME.fullmatch(path.name) for path in tmp_path.iterdir())
    assert loaded.described == described


@each_media
def test_what_is_for_text_refuses_other_sides(
    tokenizers: Tokenizers, sides: Sides, described: str
) -> None:
    with pytest.raises(UsageError, match=f"from text to text, and {described} is not one"):
        _ = tokenizers.texts


def test_every_side_has_its_part_in_the_digest() -> None:
    found = [tokenizers.digest for tokenizers, _, _ in MEDIA.values()]
    found += [Tokenizers(Sound(16_000), learn(), False).digest, joint().digest]
    assert len({*found}) == len(found)


def test_the_description_of_text_names_no_other_side(tmp_path: Path) -> None:
    joint().write(tmp_path)
    assert json.loads((tmp_path / DESCRIPTION).read_text()).keys() == {
        *("joint", "normalization", "source", "target")
    }


@pytest.mark.parametrize(
    "change",
    [
        {"source": "char"},  # both
        {"reads": None},  # neither
        {"reads": {"kind": "audio", "sample_rate": 0}},
        {"reads": {"kind": "video"}},
        {"target": None},
        {"writes": {"kind": "bits", "height": 6, "width": 8}},
        {"joint": True},
    ],
)
def test_a_description_of_impossible_sides_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    MEDIA["sound"][0].write(tmp_path)
    path = tmp_path / DESCRIPTION
    tree = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps({name: value for name, value in tree.items() if value is not None}))
    with pytest.raises(TokenizerError, match=DESCRIPTION):
        Tokenizers.load(tmp_path)
