"""What all tests share."""

import gc
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from typer.testing import CliRunner

from s2scli.cli.app import app

ROOT = Path(__file__).resolve().parent.parent

# on a busy machine any example may be slow
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Accept the options of pytest-xdist that pyproject.toml sets where it is off or missing."""
    if not pluginmanager.hasplugin("xdist"):
        for option in ("--numprocesses", "--dist"):
            parser.addoption(option, help="ignored: pytest-xdist is not loaded")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Measure in one process: `-m bench` gets no workers unless their number is given."""
    return 0 if re.search(r"(?<!not )\bbench\b", config.option.markexpr) else None


def pytest_configure() -> None:
    """Keep a worker and what it starts to one thread: each core has a worker of its own."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking through what stays to the end of the tests."""
    gc.collect()
    gc.freeze()


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


@pytest.fixture(scope="session")
def tone_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with recordings of tones and a tiny model, with a CTC layer, that reads them."""
    from tests.sounds import train_on_tones

    return train_on_tones(tmp_path_factory.mktemp("tones"), "--set", "model.ctc_weight=0.5")


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


@pytest.fixture
def quick_commits() -> Iterator[None]:
    """Commit to SQLite without fsync, for tests that no power cut will hit."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def quicken(connection: Any, record: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", quicken)
    yield
    event.remove(Engine, "connect", quicken)
