"""A tiny model learns to name tones, resumes bit for bit, and needs no original file."""

import hashlib
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.data.codecs.sound_files import encode_wav
from s2scli.data.store import Corpus
from tests.system.processes import finish, start

pytestmark = pytest.mark.gate
RATE, ROWS, HELD_OUT = 8000, 240, 24
HERTZ = {"low": 300, "middle": 800, "high": 1500}
SMALL = (
    *("model.source.bands=16", "model.source.channels=8", "model.source.embedding_dim=24"),
    "model.source.band_masks=0",  # a tone is in few bands
    "model.source.speed=0",  # and these would make it another tone
    "model.source.warp=0",
    "model.source.tone=0",
    "model.source.silence=0",  # 300 updates are few
    *("model.encoder.model_dim=24", "model.decoder.model_dim=32", "model.ctc_weight=0.3"),
    *("training.batch_tokens=256", "training.validate_every=60", "training.metric=exact_match"),
    *("training.precision=float32", "training.optimizer.learning_rate=0.007"),
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


def draw(random: np.random.Generator) -> list[str]:
    """Return one to three words, none twice in a row."""
    words = random.choice([*HERTZ], random.integers(1, 4)).tolist()
    return [word for word, _ in itertools.groupby(words)]


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
        words = draw(random)
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
    s2s(folder / "trained", *TRAIN, "300", *RECIPE)
    return folder / "trained"


def test_it_names_tones_it_has_not_heard(trained: Path) -> None:
    assert exact_match(trained) >= 80


def translated(workspace: Path, lines: list[str]) -> list[Any]:
    words = ["translate", "-w", str(workspace), "--device", "cpu", "--json"]
    result = CliRunner().invoke(app, words, input="".join(f"{line}\n" for line in lines))
    assert result.exit_code in (0, 3), result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_files_are_translated_as_the_corpus_is(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    s2s(trained, "evaluate", "--exact-match", "--device", "cpu", "-o", str(out))
    names = [str(row.source) for row in Corpus.load(trained / "corpus").open_split("test")]
    records = translated(trained, [str(trained.parent / name) for name in names])
    assert [record["translation"] for record in records] == out.read_text().splitlines()
    assert {word for record in records for word in record["translation"].split()} == {*HERTZ}
    times = [float(label) for label in records[0]["source_tokens"]]
    assert times == sorted(times) and times[0] == 0.0


def test_bad_files_fail_alone(trained: Path, tmp_path: Path) -> None:
    silent, good = tmp_path / "silent.wav", trained.parent / "0.wav"
    silent.write_bytes(encode_wav(np.zeros(RATE, np.int16), RATE))
    lines = [str(good), "", str(tmp_path / "missing.wav"), str(silent), str(good)]
    records = translated(trained, lines)
    assert [one["status"] for one in records] == ["ok", "empty", "failed", "empty", "ok"]
    assert [one["translation"] for one in records[1:4]] == ["", "", ""]
    assert records[0]["translation"] == records[4]["translation"] != ""
    assert "missing.wav: no such file" in records[2]["fault"]


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
