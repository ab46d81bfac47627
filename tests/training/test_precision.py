"""What a run computes in: as asked for, or what the processor is quick at."""

from dataclasses import replace

import pytest
import torch

from s2scli.model.kernels.machine import this_machine
from s2scli.training import precision
from s2scli.training.precision import arithmetic, autocast
from tests.training.runs import CPU, training_settings


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    ("asked", "device", "expected"),
    [
        ("float32", "cpu", "float32"),
        ("bfloat16", "cpu", "bfloat16"),
        ("float32", "cuda", "float32"),
        ("auto", "cuda", "bfloat16"),
        ("auto", "cpu", None),
    ],
)
def test_auto_is_what_the_processor_is_quick_at(
    asked: str, device: str, expected: str | None, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = replace(this_machine(), has_bfloat16=fast)
    monkeypatch.setattr(precision, "this_machine", lambda: machine)
    found = arithmetic(training_settings(precision=asked), torch.device(device))
    assert found == (expected or ("bfloat16" if fast else "float32"))


@pytest.mark.parametrize(
    ("asked", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_autocast_computes_in_it(asked: str, dtype: torch.dtype) -> None:
    with autocast(training_settings(precision=asked), CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
