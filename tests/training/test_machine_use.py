import time

import pytest
import torch

from s2scli.training.machine_use import MEGABYTE, MachineUse, peak_memory


def test_busy_cores_are_processor_time_over_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, busy = iter([10.0, 14.0, 15.0]), iter([1.0, 7.0, 7.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr("s2scli.training.machine_use.cpu_seconds", lambda: next(busy))
    use = MachineUse(torch.device("cpu"))
    assert use.measure()["busy_cores"] == 1.5
    assert use.measure()["busy_cores"] == 0


def test_the_peak_of_the_memory_never_falls() -> None:
    before = peak_memory()
    held = torch.ones(8 * MEGABYTE)  # 32 MB
    during = peak_memory()
    del held
    slack = MEGABYTE  # the kernel counts the pages of each thread in batches
    assert 0 < before <= during + slack <= peak_memory() + 2 * slack
    found = MachineUse(torch.device("cpu")).measure()
    assert found["peak_memory_mb"] == pytest.approx(peak_memory() / MEGABYTE, rel=0.2)
    assert "gpu_peak_memory_mb" not in found
