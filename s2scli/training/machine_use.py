"""How much of the machine a run uses."""

import contextlib
import sys
import time
from pathlib import Path

import torch

MEGABYTE = 1 << 20


class MachineUse:
    """Measures the processor time and the memory of this process.

    Args:
        device: the device of the model.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._before = time.monotonic(), cpu_seconds()

    def measure(self) -> dict[str, float]:
        """Return the mean number of busy cores since the last call, and the peak memory in MB.

        On a GPU, the peak of its memory too. On Windows, the peak memory is not known.
        """
        now, before = (time.monotonic(), cpu_seconds()), self._before
        self._before = now
        cores = (now[1] - before[1]) / max(1e-9, now[0] - before[0])
        found = {"busy_cores": round(cores, 3)}
        if peak := peak_memory():
            found["peak_memory_mb"] = round(peak / MEGABYTE, 1)
        if self.device.type == "cuda":
            gpu = torch.cuda.max_memory_allocated(self.device)
            found["gpu_peak_memory_mb"] = round(gpu / MEGABYTE, 1)
        return found


def peak_memory() -> int:
    """Return the largest resident memory of this process so far, in bytes; 0 if it is unknown."""
    if sys.platform == "win32":
        return 0
    with contextlib.suppress(OSError, LookupError, ValueError):
        status = Path("/proc/self/status").read_text()  # getrusage counts the parent's memory too
        return int(status.split("VmHWM:")[1].split()[0]) << 10
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10  # Linux counts in KB


def cpu_seconds() -> float:
    """Return the processor time of all threads of this process."""
    return time.process_time()
