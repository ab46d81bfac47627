"""The example of speech: its corpora, from made-up recordings, and what its script asks for."""

import wave
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.codecs.sound_files import encode_wav
from tests.examples.scripts import EXAMPLES, asked_of_s2s

EXAMPLE = EXAMPLES / "speech"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


@pytest.fixture
def fsdd(tmp_path: Path) -> Path:
    """A folder like that of the data set, with two short recordings of each speaker."""
    folder = tmp_path / "fsdd"
    (folder / "recordings").mkdir(parents=True)
    lines = ["path\ttranscript\tspeaker\tindex\tsplit\tsamples\tseconds"]
    for speaker in SPEAKERS:
        for digit, word in enumerate(("zero", "one")):
            path = f"recordings/{digit}_{speaker}_0.wav"
            (folder / path).write_bytes(encode_wav(np.full(400, 1000 + digit, np.int16), 8000))
            lines.append(f"{path}\t{word}\t{speaker}\t0\ttrain\t400\t0.05")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")
    for name in ("train", "test"):
        (folder / f"{name}.tsv").write_text("recordings/0_theo_0.wav\tzero\n")
    return folder


def commands(fsdd: Path, mode: str) -> list[list[str]]:
    """What the script asks of s2s, word by word."""
    work = fsdd.parent / "work"
    for folder in ("digits", "connected", *(f"without-{speaker}" for speaker in SPEAKERS)):
        (work / folder).mkdir(parents=True)
    return asked_of_s2s(EXAMPLE / "run.sh", fsdd, mode, work, folder=fsdd.parent)


def test_digits_are_read_by_the_official_split(fsdd: Path) -> None:
    prepare, train, *evaluate = commands(fsdd, "digits")
    assert prepare[0] == "prepare" and "--source-kind" in prepare and "--test" in prepare
    assert train[0] == "train" and {one[0] for one in evaluate} == {"evaluate"}


def test_each_speaker_is_left_out_once(fsdd: Path) -> None:
    asked = [one for one in commands(fsdd, "speakers") if one[0] == "prepare"]
    assert len(asked) == len(SPEAKERS)
    data = fsdd.parent / "work" / "data"
    for speaker in SPEAKERS:
        left = (data / f"without-{speaker}.tsv").read_text()
        own = (data / f"only-{speaker}.tsv").read_text()
        assert (left.count("\n"), own.count("\n")) == (10, 2)
        assert speaker not in left and own.count(f"_{speaker}_") == 2


@pytest.mark.slow
def test_connected_digits_are_of_one_speaker_with_pauses(fsdd: Path) -> None:
    commands(fsdd, "connected")
    lines = (fsdd.parent / "work" / "data" / "connected.test.tsv").read_text().splitlines()
    assert len(lines) == 500
    path, words = lines[0].split("\t")
    with wave.open(path) as file:
        seconds = file.getnframes() / file.getframerate()
    assert 3 <= len(words.split()) <= 5 and seconds > 0.05 * len(words.split())
