"""Memory that runs out: one line and status 70, wherever it happens."""

import errno
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pyarrow import ArrowException, ArrowMemoryError

from s2scli.errors import CheckpointError, CorpusError, OutOfMemoryError, S2SError
from s2scli.memory import SMALLER, TO_LOAD, explained, is_out_of_memory
from tests.cli.test_app import fail
from tests.cli.test_help import COMMANDS
from tests.system.processes import finish, start

MEGABYTE = 1 << 20
SHORTAGES = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory", "/a/b"),
    ArrowMemoryError("malloc of size 64 failed"),
    ArrowException("Unknown error: Failed to launch worker thread: Resource unavailable"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    RuntimeError("can't start new thread"),
    RuntimeError("std::bad_alloc"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


def caused(error: S2SError, cause: BaseException) -> S2SError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("shortage", SHORTAGES, ids=repr)
def test_every_library_that_lacks_memory_ends_in_one_line(shortage: Exception) -> None:
    for failure in (shortage, caused(CheckpointError("x: damaged"), shortage)):
        result = fail(failure)
        assert result.exit_code == 70
        assert result.stderr.startswith("error: fail: out of memory")
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError("shapes do not match"),
        ImportError("no module named x"),
        OSError(errno.ENOSPC, "full"),
        CorpusError("line 3: out of memory"),
        caused(CorpusError("bad"), ValueError("bad")),
    ],
    ids=repr,
)
def test_other_failures_stay_what_they_are(failure: Exception) -> None:
    assert not is_out_of_memory(failure)
    assert explained(failure, "train") is failure


def test_an_error_that_knows_what_needs_less_is_left_as_it_is() -> None:
    error = caused(OutOfMemoryError("update 5 does not fit"), MemoryError())
    assert explained(error, "train") is error


@pytest.mark.parametrize("command", SMALLER)
def test_a_command_that_can_do_with_less_says_how(command: str) -> None:
    assert f"; use {SMALLER[command]}, or" in str(explained(MemoryError(), command))


def limited(megabytes: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * MEGABYTE, megabytes * MEGABYTE))

    return limit


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit is not kept")
@pytest.mark.parametrize("megabytes", [200, 400, 600])
def test_too_little_memory_to_load_the_libraries(
    trained_workspace: Path, tmp_path: Path, megabytes: int
) -> None:
    for words in (["train", "--restart"], ["translate"], ["inspect", "model"]):
        process = start(*words, workspace=trained_workspace, prepare=limited(megabytes))
        status, out, told = finish(process)
        assert (status, out) == (70, "")
        name = "model" if words[0] == "inspect" else words[0]
        assert told.startswith(f"error: {name}: the memory limit is {megabytes} MB, but")
        assert told.count("\n") == 1 and "ulimit -v" in told


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit is not kept")
def test_a_model_that_does_not_fit(trained_workspace: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    subprocess.run(["cp", "-r", trained_workspace, workspace], check=True)
    before = {path: path.read_bytes() for path in (workspace / "model").iterdir()}
    wide = ("--set", "model.encoder.model_dim=16384", "--set", "model.decoder.model_dim=16384")
    words = ("train", "-q", "--restart", "--overwrite", "-r", "tiny", *wide, "--device", "cpu")
    status, _, told = finish(start(*words, workspace=workspace, prepare=limited(2500)))
    assert status == 70, told
    assert told.startswith("error: train: out of memory (") and "a smaller model" in told
    assert told.count("\n") == 1
    assert before == {path: path.read_bytes() for path in (workspace / "model").iterdir()}


def test_what_loading_takes_is_told_of_commands_that_there_are() -> None:
    assert TO_LOAD.keys() | SMALLER.keys() <= {words[-1] for words in COMMANDS if words}
