"""What a checkpoint remembers of its machine, and what of it has changed."""

import torch

from s2scli.training.machine import describe_machine, machine_differences
from s2scli.training.world import ALONE, OneProcess
from tests.training.runs import CPU, training_settings

NOW = describe_machine(training_settings(), CPU, ALONE, 2)


def test_it_is_described_by_everything_that_bits_depend_on() -> None:
    now = describe_machine(training_settings(), CPU, ALONE, 2)
    assert now["threads"] == torch.get_num_threads()
    assert (NOW["processes"], NOW["device"], NOW["precision"]) == (1, "cpu", "float32")
    assert describe_machine(training_settings(), CPU, OneProcess(size=2), 2)["processes"] == 2
    assert describe_machine(training_settings(precision="bfloat16"), CPU, ALONE, 2) != NOW


def test_what_differs_is_named_with_both_values() -> None:
    before = {**NOW, "torch": "1.0", "processes": 4}
    assert list(machine_differences(before, NOW)) == [
        ("processes", 4, 1),
        ("torch", "1.0", torch.__version__),
    ]
    assert list(machine_differences(NOW, NOW)) == []


def test_threads_are_no_difference() -> None:
    """A resumed run takes those of its checkpoint."""
    assert list(machine_differences({**NOW, "threads": 99}, NOW)) == []


def test_a_checkpoint_of_an_older_version_has_what_that_version_did() -> None:
    later = ("processes", "products by", "batch plan")
    older = {name: value for name, value in NOW.items() if name not in later}
    assert list(machine_differences(older, NOW)) == [("batch plan", 1, NOW["batch plan"])]
