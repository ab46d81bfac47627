"""A tiny model learns to name tones, resumes bit for bit, and needs no original file."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.data.codecs.sound_files import encode_wav
from tests.system.processes import finish, start

RATE, ROWS, HELD_OUT = 8000, 160, 24
HERTZ = {"low": 300, "high": 1500}
SMALL = (
    *("model.source.bands=16", "model.source.channels=4", "model.source.embedding_dim=24"),
    *("model.encoder.model_dim=16", "model.decoder.model_dim=32", "model.ctc_weight=0.3"),
    *("training.batch_tokens=256", "training.validate_every=60"),
    *("training.metric=exact_match", "training.optimizer.learning_rate=0.01"),
)
TRAIN = ("train", "--device", "cpu", "--max-steps")
RECIPE = ("-r", "tiny", *(word for text in SMALL for word in ("--set", text)))


def recording(words: list[str], random: np.random.Generator) -> NDArray[np.int16]:
    """Return a tone of 0.12 s for each word, with pauses and a little noise."""
    times = np.arange(round(0.12 * RATE)) / RATE
    tones = [
        np.append(
            0.4 * np.sin(2 * np.pi * HERTZ[word] * times + random.uniform(0, 6)), np.zeros(400)
        )
        for word in words
    ]
    samples = np.concatenate(tones)
    noisy = samples + random.normal(0, 0.005, len(samples))
    return (32767 * noisy).astype(np.int16)


def s2s(workspace: Path, *arguments: str, text: str = "") -> str:
    words = [*arguments, "-w", str(workspace)]
    result = CliRunner().invoke(app, words, input=text)
    assert result.exit_code == 0, result.output
    return result.stdout


def exact_match(workspace: Path) -> float:
    said = s2s(workspace, "evaluate", "--exact-match", "--device", "cpu", "--json")
    (score,) = json.loads(said)["scores"]
    return float(score["value"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings, and a workspace of their corpus."""
    folder = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(0)
    rows = []
    for number in range(ROWS):
        words = [["low", "high"][index] for index in random.integers(0, 2, random.integers(1, 4))]
        path = folder / f"{number}.wav"
        path.write_bytes(encode_wav(recording(words, random), RATE))
        rows.append(f"{path.name}\t{' '.join(words)}\n")
    (folder / "tones.tsv").write_text("".join(rows))
    sizes = ("--valid-size", str(HELD_OUT), "--test-size", str(HELD_OUT))
    prepare = ("prepare", str(folder / "tones.tsv"), "--source-kind", "audio")
    s2s(folder / "prepared", *prepare, *sizes)
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    shutil.copytree(folder / "prepared", folder / "trained")
    s2s(folder / "trained", *TRAIN, "240", *RECIPE)
    return folder / "trained"


def test_it_names_tones_it_has_not_heard(trained: Path) -> None:
    assert exact_match(trained) >= 90


def test_files_are_translated_and_bad_ones_fail_alone(
    trained: Path, folder: Path, tmp_path: Path
) -> None:
    said = ["low", "high low", "high high low"]
    paths = [tmp_path / f"{number}.wav" for number in range(len(said))]
    random = np.random.default_rng(7)
    for path, text in zip(paths, said, strict=True):
        path.write_bytes(encode_wav(recording(text.split(), random), RATE))
    silent = tmp_path / "silent.wav"
    silent.write_bytes(encode_wav(np.zeros(RATE, np.int16), RATE))
    lines = [*map(str, paths), "", str(tmp_path / "missing.wav"), str(silent)]
    words = ["translate", "-w", str(trained), "--device", "cpu", "--json"]
    result = CliRunner().invoke(app, words, input="".join(f"{line}\n" for line in lines))
    assert result.exit_code == 3, result.output
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["translation"] for record in records] == [*said, "", "", ""]
    assert [one["status"] for one in records] == ["ok"] * 3 + ["empty", "failed", "empty"]
    assert "missing.wav: no such file" in records[4]["fault"]


def test_evaluating_needs_no_original_file(trained: Path, tmp_path: Path) -> None:
    before = exact_match(trained)
    shutil.copytree(trained, tmp_path / "w")
    for path in trained.parent.glob("*.wav"):
        path.rename(tmp_path / path.name)
    try:
        assert exact_match(tmp_path / "w") == before
    finally:
        for path in tmp_path.glob("*.wav"):
            path.rename(trained.parent / path.name)


def weights(workspace: Path) -> str:
    """Return the digest of the newest checkpoint's weights."""
    newest = max((workspace / "training").glob("checkpoint-*"))
    return hashlib.sha256((newest / "model.safetensors").read_bytes()).hexdigest()


def test_a_stopped_run_resumes_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    """Augmentation is random; it is the same after a stop, in another process."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for workspace in (whole, stopped):
        shutil.copytree(folder / "prepared", workspace)
    s2s(whole, *TRAIN, "9", *RECIPE)
    s2s(stopped, *TRAIN, "4", *RECIPE)
    status, _, said = finish(start(*TRAIN, 9, workspace=stopped))
    assert status == 0, said
    assert weights(stopped) == weights(whole)
