"""What all tests share."""

import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2scli.cli.app import app

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real and hostile corpora, which the repository does not hold."""
    folder = Path(os.environ.get("S2S_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set S2S_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def trained_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a corpus, a tokenizer and a tiny model that has seen a few batches."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["one", "two", "three", "four", "five", "six", "seven"]
    rows = [f"{a} {b} {c}\t{c} {b} {a}\n" for a in words for b in words for c in words]
    (folder / "corpus.tsv").write_text("".join(rows))
    for command in (
        ["prepare", str(folder / "corpus.tsv")],
        ["train", "--recipe", "tiny", "--max-steps", "20", "--device", "cpu"],
    ):
        result = CliRunner().invoke(app, [*command, "-q", "-w", str(folder / "workspace")])
        assert result.exit_code == 0, result.output
    return folder / "workspace"


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal() -> None:
    """Heed signals, even where the tests run in the background or under nohup."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Compute in one thread: tiny tensors are slower in two."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def quick_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fsync at no cost, for tests of many writes that no power cut will hit."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
