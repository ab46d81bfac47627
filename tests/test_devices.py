import pytest

from s2scli.devices import choose_device
from s2scli.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "gpus", "chosen"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_device_that_is_there(name: str, gpus: int, chosen: str) -> None:
    assert choose_device(name, gpus, "PyTorch") == chosen


@pytest.mark.parametrize(
    ("name", "gpus", "found"),
    [
        ("cuda", 0, "PyTorch finds no GPU to use"),
        ("cuda:1", 1, "PyTorch finds 1 GPU to use"),
        ("cuda:9", 2, "PyTorch finds 2 GPUs to use"),
        ("tpu", 2, "unknown"),
        ("cuda:", 2, "unknown"),
    ],
)
def test_one_that_is_not_is_named(name: str, gpus: int, found: str) -> None:
    with pytest.raises(ConfigError, match=f"^--device {name}: {found}; choose auto, cpu, cuda or"):
        choose_device(name, gpus, "PyTorch")
