"""Recordings of tones, and a model that has learned to name them."""

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.data.codecs.sound_files import encode_wav

RATE = 8000
TONES = {"low": 300, "high": 1500}
SECONDS = 0.2  # of a tone

Samples = NDArray[np.int16]


def tone(hertz: float, seconds: float = SECONDS, rate: int = RATE) -> Samples:
    """Return a tone at half of full scale."""
    times = np.arange(int(seconds * rate)) / rate
    return (16384 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def silence(seconds: float, rate: int = RATE) -> Samples:
    """Return silence."""
    return np.zeros(int(seconds * rate), np.int16)


def saying(text: str, pause: float = 0.1) -> Samples:
    """Return the tone of each word, with a pause before, between and after them."""
    quiet = silence(pause)
    return np.concatenate(
        [quiet, *(x for word in text.split() for x in (tone(TONES[word]), quiet))]
    )


def write_wav(path: Path, samples: Samples, rate: int = RATE) -> Path:
    """Write a recording, and return its path."""
    path.write_bytes(encode_wav(samples, rate))
    return path


def train_on_tones(folder: Path, *options: str, steps: int = 60) -> Path:
    """Return a workspace with a small model that names tones; `options` are for `s2s train`."""
    rows = []
    for number, words in enumerate(
        itertools.chain.from_iterable(itertools.product(TONES, repeat=n) for n in (1, 2, 3, 4))
    ):
        for copy, pause in enumerate((0.06, 0.1, 0.14)):
            path = write_wav(folder / f"{number}-{copy}.wav", saying(" ".join(words), pause))
            rows.append(f"{path.name}\t{' '.join(words)}\n")
    (folder / "corpus.tsv").write_text("".join(rows))
    for command in (
        ["prepare", str(folder / "corpus.tsv"), "--source-kind", "audio", "--valid-size", "6"],
        ["train", "-r", "tiny", "--max-steps", str(steps), "--device", "cpu", *options],
    ):
        result = CliRunner().invoke(app, [*command, "-q", "-w", str(folder / "workspace")])
        assert result.exit_code == 0, result.output
    return folder / "workspace"
