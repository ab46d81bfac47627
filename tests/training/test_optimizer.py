"""Every optimizer builds, learns, and goes on bit for bit from its saved state."""

from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from s2scli.model.weights import encode_tensors, read_tensors
from s2scli.settings import load_settings
from s2scli.training.checkpoint import load_optimizer, optimizer_tensors
from s2scli.training.optimizer import AdamSettings
from s2scli.training.settings import OptimizerSettings, TrainingSettings

SETTINGS = {
    group.model_fields["kind"].default: group for group in get_args(get_args(OptimizerSettings)[0])
}
VARIETIES: dict[str, dict[str, object]] = {
    **{kind: {} for kind in SETTINGS},
    "sgd-momentum": {"momentum": 0.9, "weight_decay": 0.01},
    "rmsprop-momentum": {"momentum": 0.9},
    "adafactor-decay": {"weight_decay": 0.01},
}
each_optimizer = pytest.mark.parametrize("variety", VARIETIES)


def build(variety: str, weights: list[nn.Parameter]) -> Optimizer:
    tree = {"kind": variety.split("-")[0], "learning_rate": 0.05, **VARIETIES[variety]}
    settings = load_settings(TrainingSettings, {"optimizer": tree}, "test")
    names = ("encoder.matrix", "encoder.bias")
    return settings.optimizer.build(dict(zip(names, weights, strict=True)))


def new_weights() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((4, 3), (3,))]


@each_optimizer
def test_the_state_has_as_many_values_for_each_weight_of_a_matrix_as_it_says(variety: str) -> None:
    weights = [nn.Parameter(torch.ones(shape)) for shape in ((40, 30), (1,))]
    optimizer = build(variety, weights)
    step(weights, optimizer)
    tree = {"kind": variety.split("-")[0], **VARIETIES[variety]}
    copies = load_settings(TrainingSettings, {"optimizer": tree}, "test").optimizer.copies
    held = sum(tensor.numel() for tensor in optimizer_tensors(optimizer).values())
    assert held // weights[0].numel() == copies


def step(weights: list[nn.Parameter], optimizer: Optimizer) -> Tensor:
    """Make an update towards weights of 1; return the objective before it."""
    loss = sum(((weight - 1) ** 2).sum() for weight in weights)
    assert isinstance(loss, Tensor)
    torch.autograd.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


@each_optimizer
def test_it_learns(variety: str) -> None:
    weights = new_weights()
    optimizer = build(variety, weights)
    losses = [float(step(weights, optimizer)) for _ in range(10)]
    assert losses[-1] < losses[0]


@each_optimizer
@pytest.mark.parametrize("before", [0, 1, 3])
def test_it_goes_on_bit_for_bit(variety: str, before: int, tmp_path: Path) -> None:
    weights = new_weights()
    optimizer = build(variety, weights)
    for _ in range(before):
        step(weights, optimizer)
    (tmp_path / "state").write_bytes(encode_tensors(optimizer_tensors(optimizer)))
    others = [nn.Parameter(weight.detach().clone()) for weight in weights]
    resumed = build(variety, others)
    load_optimizer(resumed, read_tensors(tmp_path / "state"))
    for _ in range(3):
        step(weights, optimizer)
        step(others, resumed)
    for weight, other in zip(weights, others, strict=True):
        assert torch.equal(weight, other)
    state, other_state = optimizer_tensors(optimizer), optimizer_tensors(resumed)
    assert state.keys() == other_state.keys()
    assert all(torch.equal(state[name], other_state[name]) for name in state)


def test_adam_is_its_paper() -> None:
    """Algorithm 1 of Kingma & Ba 2015, in plain numbers."""
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = AdamSettings(learning_rate=0.1, beta1=0.8, beta2=0.9, epsilon=1e-6).build(
        {"weight": weight}
    )
    value, m, v = 2.0, 0.0, 0.0
    for t in range(1, 6):
        gradient = 2 * (value - 1)
        m = 0.8 * m + 0.2 * gradient
        v = 0.9 * v + 0.1 * gradient**2
        value -= 0.1 * (m / (1 - 0.8**t)) / ((v / (1 - 0.9**t)) ** 0.5 + 1e-6)
        step([weight], optimizer)
        assert float(weight.detach()) == pytest.approx(value, rel=1e-5)
