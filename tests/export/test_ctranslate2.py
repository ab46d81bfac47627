"""CTranslate2 as a target: devices, threads, and files that its library cannot read."""

from pathlib import Path

import pytest

from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.ctranslate2 import CTranslate2
from tests.export.varieties import POSITIONS, RECOMMENDED, VARIETIES, letters, variety

pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    settings, model = variety(VARIETIES["pre-norm"], letters())
    CTranslate2().write(
        tmp_path, settings, model.state_dict(), letters(), POSITIONS, "none", RECOMMENDED
    )
    return tmp_path


def test_what_is_written_passes_its_own_check(folder: Path) -> None:
    CTranslate2().check(folder, letters(), POSITIONS)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_there_is_a_worker_for_each_thread(
    folder: Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert CTranslate2().open(folder, "cpu").num_translators == int(threads)


def test_a_device_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"--device tpu: unknown; choose auto, cpu, cuda or"):
        CTranslate2().open(folder, "tpu")


def test_a_library_that_cannot_read_the_file_is_an_error_of_one_line(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="CTranslate2 cannot read it"):
        CTranslate2().open(folder, "cpu")
