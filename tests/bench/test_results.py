"""Results of the benchmarks: a file for each machine, written whole."""

import dataclasses
from pathlib import Path

import pytest

from s2scli.errors import StorageError
from tests.bench import results
from tests.bench.results import FOLDER, Machine, Result, read_all, this_machine, versions
from tests.bench.tables import TABLES

RESULT = Result("measured", "", "2026-01-31", 1.5, 60, 0.1, {"A": "1"}, {"s2s": "0"}, [{"b": [2]}])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    machine = Machine("AMD EPYC (Zen), 2 cores", {"cores": 2}, {"one": RESULT})
    machine.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["amd-epyc-zen-2-cores.json"]
    assert read_all(tmp_path) == [machine]
    other = dataclasses.replace(machine, name="Another")
    other.save(tmp_path)
    assert read_all(tmp_path) == [machine, other]  # by the name of the file


def test_a_write_that_fails_keeps_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine("One", {}, {"one": RESULT})
    machine.save(tmp_path)

    def full(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("s2scli.files.Files.write", full)
    with pytest.raises(StorageError, match="no space"):
        dataclasses.replace(machine, tables={}).save(tmp_path)
    assert read_all(tmp_path) == [machine]


def test_this_machine_has_its_results(tmp_path: Path) -> None:
    machine = this_machine(tmp_path)
    assert machine.tables == {} and machine.facts["cores"] >= 1
    with_result = dataclasses.replace(machine, tables={"one": RESULT})
    with_result.save(tmp_path)
    assert this_machine(tmp_path) == with_result


def test_a_gpu_has_its_own_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2S_BENCH_DEVICE", "cuda")
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: f"A GPU, {device}")
    assert this_machine(tmp_path).name == "A GPU, cuda"


def test_versions_say_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found = versions()
    assert {"python", "s2s", "commit", "torch"} <= found.keys()
    monkeypatch.setattr(results, "PACKAGES", ("torch", "no-such-package"))
    assert "no-such-package" not in versions()


def test_the_commit_is_unknown_outside_of_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "ROOT", tmp_path)
    assert versions()["commit"] == "unknown"


def test_committed_results_are_of_tables_that_exist() -> None:
    for machine in read_all(FOLDER):
        assert machine.tables.keys() <= TABLES.keys()
        for name, found in machine.tables.items():
            assert found.state in ("measured", "stopped", "failed", "skipped"), name
            assert found.seconds > 0 and found.versions["s2s"], name
