"""A Dask cluster does the same work as one process, and says in one line why it cannot."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import s2scli
from s2scli.cli.app import app
from s2scli.data import pieces
from s2scli.data.settings import PrepareSettings
from s2scli.errors import (
    ConfigError,
    CorpusError,
    LostProcessError,
    MissingExtraError,
    MissingInputError,
    UsageError,
)
from s2scli.pipeline import cluster as module
from s2scli.pipeline import translation_shards
from s2scli.pipeline.cluster import Cluster
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.train_tokenizer import train_tokenizer
from s2scli.pipeline.workers import THIS_PROCESS, Workers
from s2scli.report.console import Talk
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.workspace import Workspace
from tests.pipeline.test_workers import die, die_once, refuse_seven, square

if TYPE_CHECKING:
    from distributed import LocalCluster

QUIET = Talk(quiet=True)
SLOW = pytest.mark.slow
# what Dask itself warns of and leaves open is no fault of s2s
LOUD = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def local() -> "Iterator[LocalCluster]":
    """A scheduler and two workers, each a process, on this machine only."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
    ) as cluster:
        yield cluster


def cluster_of(local: "LocalCluster", folder: Path) -> Cluster:
    return Cluster(local.scheduler_address, folder)


@SLOW
@LOUD
def test_results_come_in_the_order_of_the_items(local: "LocalCluster", tmp_path: Path) -> None:
    workers = cluster_of(local, tmp_path)
    assert list(workers.map(square, range(30), QUIET)) == [n * n for n in range(30)]
    assert list(workers.map(square, [], QUIET)) == []
    with pytest.raises(CorpusError, match="line 7: a bad line"):
        list(workers.map(refuse_seven, range(20), QUIET))
    assert list(tmp_path.iterdir()) == []


@SLOW
@LOUD
def test_the_work_of_a_killed_worker_is_done_again(local: "LocalCluster", tmp_path: Path) -> None:
    names = [*"abcde", "dies", *"fghij"]
    workers = cluster_of(local, tmp_path)
    assert list(workers.map(die_once, [tmp_path / name for name in names], QUIET)) == names


def corpus_of(folder: Path, workers: Workers) -> Mapping[str, bytes]:
    """Prepare and encode a corpus; return all files of both folders."""
    words = [f"{n} the dog sleeps in house {n * 7 % 301}" for n in range(3000)]
    path = folder / "corpus.tsv"
    path.write_text("".join(f"{text}\t{text[::-1]}\n" for text in words))
    workspace = Workspace(folder / "w")
    prepare(workspace, Inputs((path,)), PrepareSettings(), QUIET, workers=workers)
    train_tokenizer(workspace, TokenizerSettings(), QUIET, workers=workers)
    folders = workspace.corpus, workspace.encoded
    return {
        f"{one.name}/{file.name}": file.read_bytes() for one in folders for file in one.iterdir()
    }


@SLOW
@LOUD
def test_a_corpus_has_the_same_bytes_though_a_worker_is_killed(
    local: "LocalCluster", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 5000)
    (tmp_path / "alone").mkdir()
    (tmp_path / "together").mkdir()
    expected = corpus_of(tmp_path / "alone", THIS_PROCESS)
    killer = Killer(local, tmp_path / "together" / "w" / ".shards")
    monkeypatch.chdir(tmp_path / "together")  # the workers are in another folder
    found = corpus_of(Path(), cluster_of(local, Path()))
    killer.join()
    assert found == expected


@SLOW
@LOUD
def test_a_large_file_is_translated_as_on_one_machine_though_a_worker_is_killed(
    local: "LocalCluster", trained_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translation_shards, "SHARD_LINES", 20)
    words = ["one", "two", "three", "four"]
    lines = [f"{a} {b} {c}" for a in words for b in words for c in words] * 3
    (tmp_path / "in").write_text("\n".join(lines))
    command = ["translate", "-w", str(trained_workspace), "--device", "cpu", str(tmp_path / "in")]
    alone = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "alone")])
    assert alone.exit_code == 0, alone.stderr
    killer = Killer(local, tmp_path / "out.shards")
    together = CliRunner().invoke(
        app, [*command, "-o", str(tmp_path / "out"), "--dask", local.scheduler_address]
    )
    killer.join()
    assert together.exit_code == 0, together.stderr
    assert (tmp_path / "out").read_bytes() == (tmp_path / "alone").read_bytes()
    assert len((tmp_path / "out").read_text().splitlines()) == len(lines)
    assert not (tmp_path / "out.shards").exists()


class Killer(threading.Thread):
    """Kills a worker of a cluster as soon as the first shard in a folder is finished."""

    def __init__(self, local: "LocalCluster", folder: Path) -> None:
        super().__init__()
        local.wait_for_workers(1)
        self.local, self.folder = local, folder
        self.start()

    def run(self) -> None:
        while not any(self.folder.glob("*.json")):
            time.sleep(0.01)
        worker = next(iter(self.local.workers.values()))
        os.kill(worker.pid, signal.SIGKILL)


@SLOW
@LOUD
def test_workers_that_are_killed_again_and_again_end_the_run(
    local: "LocalCluster", tmp_path: Path
) -> None:
    with pytest.raises(LostProcessError, match="workers were killed again and again, last tcp:"):
        list(cluster_of(local, tmp_path).map(die, range(4), QUIET))


@pytest.mark.parametrize("address", ["", "nonsense", "foo://host:1", "tcp://host", "tcp://a b:1"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="not an address; expected one such as tcp://host:8786"):
        list(Cluster(address, tmp_path).map(square, [1], QUIET))


@LOUD
def test_a_scheduler_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1)
    with pytest.raises(ConfigError, match=r"tcp://127\.0\.0\.1:9: no scheduler answers"):
        list(Cluster("tcp://127.0.0.1:9", tmp_path).map(square, [1], QUIET))


def test_tls_without_its_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")

    def client(*arguments: object, **more: object) -> None:
        raise TypeError("TLS expects a ssl_context argument")

    monkeypatch.setattr(distributed, "Client", client)
    with pytest.raises(ConfigError, match=r"tls://host:1: TLS expects.*distributed\.comm\.tls"):
        list(Cluster("tls://host:1", tmp_path).map(square, [1], QUIET))


def test_dask_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"Dask: pip install 's2scli\[scale\]'"):
        list(Cluster("tcp://127.0.0.1:9", tmp_path).map(square, [1], QUIET))


class Answers:
    """A client whose workers answer what a test wants."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers

    def wait_for_workers(self, count: int, timeout: float) -> None:
        if not self.answers:
            raise TimeoutError

    def run(self, look: Any, on_error: str) -> Mapping[str, Any]:
        assert look() == (s2scli.__version__, True)
        return self.answers


FINE = (s2scli.__version__, True)


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        ({}, ConfigError, "the scheduler has no workers"),
        ({"a": FINE, "b": ("9.9", True)}, ConfigError, "worker b: has s2scli 9.9, and this is"),
        ({"b": (FINE[0], False), "a": FINE}, MissingInputError, "worker b: does not see .*; it"),
        ({"a": ImportError("no s2scli")}, ConfigError, r"worker a: cannot run s2s \(ImportError"),
    ],
)
def test_workers_that_cannot_do_it_are_named(
    tmp_path: Path, answers: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        module._checked_workers(Answers(answers), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_workers_that_can_do_it_are_counted(tmp_path: Path) -> None:
    assert module._checked_workers(Answers({"a": FINE, "b": FINE}), tmp_path) == 2
