"""The example of pictures: its corpora, from a few made-up images, and what its script asks for."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.codecs.picture_files import encode_png
from tests.examples.scripts import EXAMPLES, asked_of_s2s, load_script

pytest.importorskip("PIL", reason="Pillow is not installed")
EXAMPLE = EXAMPLES / "images"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
IMAGES = {"train": 5_040, "t10k": 30}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpora of random images, each as bright as its label."""
    folder = tmp_path_factory.mktemp("mnist")
    random = np.random.default_rng(0)
    for name, count in IMAGES.items():
        labels = np.arange(count, dtype=np.uint8) % 10
        pixels = (random.random((count, 28, 28)) < 0.5) * (20 * labels[:, None, None] + 40)
        for kind, header, content in (
            ("images-idx3", 16, pixels.astype(np.uint8)),
            ("labels-idx1", 8, labels),
        ):
            data = gzip.compress(bytes(header) + content.tobytes())
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(data)
    command = [sys.executable, str(EXAMPLE / "make_mnist.py"), str(folder), str(folder / "data")]
    subprocess.run([*command, "20"], check=True, env=ENVIRONMENT)
    return folder / "data"


def rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_every_split_has_its_own_images(corpora: Path) -> None:
    assert [len(rows(corpora / f"read.{split}.tsv")) for split in ("train", "valid", "test")] == [
        40,
        5_000,
        30,
    ]
    words = [word for _, word in rows(corpora / "read.test.tsv")]
    assert words[:3] == ["zero", "one", "two"]
    assert len(rows(corpora / "likelihood.train.tsv")) == 3 * 40, "each image is drawn three times"
    assert {source for source, _ in rows(corpora / "likelihood.test.tsv")} == {"digit"}
    assert not (corpora / "write.test.tsv").exists()


def test_numbers_are_written_in_words(corpora: Path) -> None:
    in_words = load_script(EXAMPLE / "make_mnist.py").in_words
    numbers = {7: "seven", 12: "twelve", 20: "twenty", 205: "two hundred five"}
    numbers |= {40_018: "forty thousand eighteen", 99_999: "ninety nine thousand nine hundred "}
    for number, words in numbers.items():
        assert in_words(number).startswith(words)
    assert len(rows(corpora / "numbers.valid.tsv")) == 20


@pytest.mark.parametrize("mode", ["likelihood", "read", "numbers", "vae"])
def test_the_script_prepares_trains_and_measures(corpora: Path, tmp_path: Path, mode: str) -> None:
    (tmp_path / "data").symlink_to(corpora)
    (tmp_path / "stand-in").mkdir()
    (tmp_path / "likelihood" / "samples").mkdir(parents=True)
    drawn = encode_png(np.zeros((28, 28, 1), np.uint8))
    (tmp_path / "likelihood" / "samples" / "000001-1.png").write_bytes(drawn)
    found = asked_of_s2s(
        EXAMPLE / "run.sh", corpora.parent, mode, tmp_path, folder=tmp_path / "stand-in"
    )
    asked = [words[0] for words in found]
    assert asked[:3] == ["prepare", "train", "evaluate"]
    assert (tmp_path / "likelihood.png").exists() == (mode == "likelihood")
