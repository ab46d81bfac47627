"""How the tests run: in a process for each core, or in one."""

import gc
import subprocess
import sys
from argparse import Namespace
from typing import cast

import pytest

from tests.conftest import ROOT, pytest_configure, pytest_xdist_auto_num_workers


@pytest.mark.parametrize(
    ("expression", "workers"),
    [("not slow and not bench", None), ("slow", None), ("bench", 0), ("slow or bench", 0)],
)
def test_only_measurements_run_alone(expression: str, workers: int | None) -> None:
    config = cast(pytest.Config, Namespace(option=Namespace(markexpr=expression)))
    assert pytest_xdist_auto_num_workers(config) == workers


@pytest.mark.parametrize(
    ("worker", "given", "threads"),
    [("gw0", None, "1"), ("gw0", "3", "3"), (None, None, None), (None, "3", "3")],
)
def test_a_worker_computes_in_one_thread_unless_the_user_says(
    worker: str | None, given: str | None, threads: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"PYTEST_XDIST_WORKER": worker, "OMP_NUM_THREADS": given}
    found = {name: value for name, value in environment.items() if value is not None}
    monkeypatch.setattr("tests.conftest.os.environ", found)
    pytest_configure()
    assert found.get("OMP_NUM_THREADS") == threads


def test_what_was_collected_is_no_garbage_to_look_for() -> None:
    assert gc.get_freeze_count() > 10_000, "at least all modules"


def test_the_settings_of_pytest_need_no_xdist() -> None:
    options = ("-p", "no:xdist", "--collect-only", "-qq")
    command = [sys.executable, "-m", "pytest", *options, __file__]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
