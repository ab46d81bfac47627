"""The gradient of an update, whatever fits into memory, and a step only if it is finite."""

import math
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from s2scli.data.batch import Batch
from s2scli.data.encoded import EncodedSplit
from s2scli.model.seq2seq import Seq2Seq
from s2scli.settings import Tree
from s2scli.training import update
from s2scli.training.checkpoint import optimizer_tensors
from s2scli.training.epochs import TrainingBatches
from s2scli.training.loop import Run, _settle, _update
from s2scli.training.objective import batch_objective
from s2scli.training.progress import Progress
from s2scli.training.settings import OptimizerSettings
from s2scli.training.update import Sums, accumulate, normalize, step_if_finite
from tests.fake_device import FakeDevice
from tests.models import MODELS, each_model, transformer_tree
from tests.training.runs import CPU, make_run, training_settings, write_split

OPTIMIZERS = [kind().kind for kind in get_args(get_args(OptimizerSettings)[0])]
SHORTAGES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    MemoryError(),
]
TREES = {"recurrent": MODELS["lstm-feeding"], "transformer": transformer_tree(dropout=0.0)}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return write_split(tmp_path_factory.mktemp("split"), 60)


def group_of(split: EncodedSplit, run: Run) -> list[Batch]:
    batches, _ = TrainingBatches(split, run.settings).next(Progress())
    return batches


def run_of(tree: Tree, **changes: object) -> Run:
    run = make_run(training_settings(batch_tokens=60, accumulate=2, **changes), tree)
    run.model.train()
    return run


def gradients(run: Run) -> dict[str, Tensor]:
    named = run.model.named_parameters()
    return {name: weight.grad.clone() for name, weight in named if weight.grad is not None}


def sums_of(
    run: Run, group: Sequence[Batch], restore: Callable[[], None] = lambda: None
) -> tuple[Sums, dict[str, Tensor]]:
    """Accumulate over some batches from the same random state each time."""
    torch.manual_seed(5)
    run.model.zero_grad(set_to_none=True)
    sums = accumulate(run.model, group, run.settings, CPU, 1, restore=restore)
    return sums, gradients(run)


@pytest.fixture
def only_fitting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Batch], bool]], None]:
    """Return a function that makes batches fail in the backward pass unless they fit."""
    monkeypatch.setattr(update, "give_back_freed_memory", lambda: None)  # a tenth of a second

    def limit(fits: Callable[[Batch], bool], shortage: Exception = SHORTAGES[0]) -> None:
        def failing(model: Seq2Seq, batch: Batch, *rest: Any) -> Tensor:
            loss = batch_objective(model, batch, *rest)
            if not fits(batch):
                loss.register_hook(fail)  # type: ignore[no-untyped-call]
            return loss

        def fail(gradient: Tensor) -> None:
            raise shortage

        monkeypatch.setattr(update, "batch_objective", failing)

    return limit


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES.keys())
@pytest.mark.parametrize("shortage", SHORTAGES, ids=["GPU", "CPU", "Python"])
def test_a_batch_that_is_split_gives_the_same_gradient(
    split: EncodedSplit, tree: Tree, shortage: Exception, only_fitting: Any
) -> None:
    run = run_of(tree)
    group = group_of(split, run)
    assert len(group) == 2 and len(group[0].source) > 8
    whole, expected = sums_of(run, group)
    only_fitting(lambda batch: len(batch.source) <= 4, shortage)
    restored: list[int] = []
    parts, found = sums_of(run, group, lambda: restored.append(1))
    assert len(restored) == parts.splits, "before each new start"
    assert (parts.tokens, parts.left_out, whole.splits) == (whole.tokens, (), 0)
    assert parts.splits >= 4
    assert float(parts.loss) == pytest.approx(float(whole.loss), rel=1e-6)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        scale = whole.tokens
        torch.testing.assert_close(found[name] / scale, gradient / scale, atol=1e-6, rtol=0)


def short_of_memory(folder: str) -> None:
    """Accumulate over a batch of 4,000 pairs, then again with memory for part of it only."""
    tree = transformer_tree(dropout=0.0)
    for side in ("encoder", "decoder"):
        tree[side] |= {"model_dim": 64, "ffn_dim": 64}
    tree["source"], tree["target"] = {"embedding_dim": 64}, {"embedding_dim": 64}
    run = make_run(training_settings(batch_tokens=10**6), tree)
    group = group_of(write_split(Path(folder), 4000, longest=20), run)
    whole, expected = sums_of(run, group)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for spare in (200, 150, 100, 70, 50):  # MB; how much is needed depends on the C library
        resource.setrlimit(resource.RLIMIT_AS, (held + spare * 10**6, resource.RLIM_INFINITY))
        parts, found = sums_of(run, group)
        if parts.splits:
            break
    assert (parts.tokens, parts.left_out) == (whole.tokens, ())
    scale = whole.tokens
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name] / scale, gradient / scale, atol=1e-6, rtol=0)
    sys.stdout.write(f"{whole.splits} and {parts.splits} splits")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_really_runs_out_splits_the_batch(tmp_path: Path) -> None:
    code = "from tests.training.test_update import short_of_memory as run; run"
    words = [sys.executable, "-c", f"{code}({str(tmp_path)!r})"]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    before, _, after = ended.stdout.split()[:3]
    assert before == "0" and int(after) > 0


def test_only_an_example_that_does_not_fit_alone_is_left_out_and_named(
    split: EncodedSplit, only_fitting: Any
) -> None:
    run = run_of(MODELS["gru-additive-after"])
    group = group_of(split, run)
    row = group[1].rows[2]
    others = [group[0], group[1].part(slice(2)), group[1].part(slice(3, None))]
    _, expected = sums_of(run, others)
    only_fitting(lambda batch: row not in batch.rows)
    sums, found = sums_of(run, group)
    assert sums.left_out == (row,)
    assert sums.tokens == sum(len(batch.real) for batch in others)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-5)


def test_random_choices_depend_on_the_parts_alone(split: EncodedSplit, only_fitting: Any) -> None:
    """So a run that is resumed, and splits the same batches, draws the same dropout."""
    tree = {**MODELS["gru-additive-after"]}
    tree["encoder"] = {**tree["encoder"], "dropout": 0.3}
    run = run_of(tree)
    group = group_of(split, run)
    halves = [half for batch in group for half in batch.halves()]
    _, expected = sums_of(run, halves)
    _, without_split = sums_of(run, group)
    only_fitting(lambda batch: batch.rows in [half.rows for half in halves])
    _, found = sums_of(run, group)
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())
    assert any(not torch.equal(without_split[name], found[name]) for name in found)


def test_if_nothing_fits_memory_is_out(split: EncodedSplit, only_fitting: Any) -> None:
    run = run_of(MODELS["gru-additive-after"])
    group = group_of(split, run)
    only_fitting(lambda batch: False)
    with pytest.raises(MemoryError, match="no example fits"):
        sums_of(run, group)
    alone = group[0].part(slice(1))
    sums, found = sums_of(run, [alone])
    assert (sums.left_out, sums.tokens, found) == (alone.rows, 0, {})


def test_norm_and_clipping_are_those_of_the_mean_gradient() -> None:
    weights = [nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(5)), nn.Parameter()]
    for limit in (0.1, math.inf):
        for weight in weights[:2]:
            weight.grad = torch.randn_like(weight)
        plain = [nn.Parameter(weight.detach()) for weight in weights[:2]]
        for weight, other in zip(weights, plain, strict=False):
            assert weight.grad is not None
            other.grad = weight.grad / 7
        norm = normalize(weights, 7, limit)
        assert float(norm) == pytest.approx(float(nn.utils.clip_grad_norm_(plain, limit)))
        for weight, other in zip(weights, plain, strict=False):
            torch.testing.assert_close(weight.grad, other.grad)


def test_without_tokens_there_is_no_finite_norm() -> None:
    assert normalize([nn.Parameter(torch.ones(2))], 0, 1.0).isnan()


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_gradient_that_is_not_finite_changes_nothing(kind: str) -> None:
    """Skipped at first and later, an optimizer goes on as one that never saw those gradients."""
    momentum = {"momentum": 0.9} if kind == "sgd" else {}
    settings = training_settings(optimizer={"kind": kind, **momentum}).optimizer

    def train(values: Sequence[float]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        torch.manual_seed(3)
        layer = nn.Linear(4, 3)
        optimizer = settings.build(dict(layer.named_parameters()))
        for value in values:
            for weight in layer.parameters():
                weight.grad = torch.full_like(weight, value)
            step_if_finite(optimizer, torch.tensor(value))
        assert not hasattr(optimizer, "found_inf")
        return dict(layer.named_parameters()), optimizer_tensors(optimizer)

    expected, found = train([0.5, -0.25, 0.75]), train([math.nan, 0.5, math.inf, -0.25, 0.75])
    for one, other in zip(expected, found, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_makes_the_gradient_so(
    split: EncodedSplit, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one whose own gradient is finite."""
    monkeypatch.setattr(update, "batch_objective", lambda *given: batch_objective(*given) + value)
    run = run_of(MODELS["gru-additive-after"])
    sums, _ = sums_of(run, group_of(split, run))
    assert not normalize(run.model.parameters(), sums.tokens, 1.0).isfinite()


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[FakeDevice]:
    """Return a list for one fake device; batches that are moved to a device are then on it."""
    devices: list[FakeDevice] = []
    move = Batch.to

    def to(batch: Batch, device: torch.device) -> Batch:
        found = move(batch, device)
        devices[0].put([found.source, found.target_input, found.target_output, found.real])
        return found

    monkeypatch.setattr(Batch, "to", to)
    return devices


def waits_of(run: Run, split: EncodedSplit, moved: list[FakeDevice]) -> list[str]:
    """Return the waits in three updates, after making sure that a look at them is one."""
    batches = TrainingBatches(split, run.settings)
    moved[:] = [FakeDevice([*run.model.parameters(), *run.model.buffers()])]
    with moved[0] as device:
        for _ in range(3):
            _update(run, batches)
        waits = list(device.waits)
        assert not [*_settle(run, batches)]
        assert device.waits == [*waits, "tolist"]
    assert run.progress.step == 3 and run.progress.logged_tokens > 0
    return waits


@each_model
def test_the_host_never_waits_in_an_update(
    split: EncodedSplit, tree: Tree, moved: list[FakeDevice]
) -> None:
    assert waits_of(run_of(tree), split, moved) == []


WAYS: dict[str, dict[str, object]] = {
    "AdamW": {"optimizer": {"kind": "adamw"}},
    "SGD": {"optimizer": {"kind": "sgd", "momentum": 0.9}},
    "moving average": {"ema_decay": 0.9},
    "R-Drop": {"r_drop": 1.0},
    "SimCut": {"simcut": 3.0},
    "scheduled sampling": {"scheduled_sampling": {"kind": "exponential", "base": 0.5}},
    "no clipping": {"max_gradient_norm": 0},
    "bfloat16": {"precision": "bfloat16"},
}


@pytest.mark.parametrize("changes", WAYS.values(), ids=WAYS.keys())
def test_the_host_waits_in_no_way_to_train(
    split: EncodedSplit, changes: dict[str, object], moved: list[FakeDevice]
) -> None:
    assert waits_of(run_of(MODELS["gru-additive-after"], **changes), split, moved) == []


def test_a_fake_device_sees_the_host_wait() -> None:
    """Everything the update must not do, on a value computed from one of the device."""
    there, here = torch.ones(3), torch.ones(3)
    reads: list[Callable[[Tensor], object]] = [
        lambda t: float(t.sum()),
        lambda t: t.tolist(),
        lambda t: t[t > 0],
        lambda t: bool(t.any()),
        lambda t: t.nonzero(),
        lambda t: t.numpy(),
        lambda t: t.sum().item(),
    ]
    for read in reads:
        with FakeDevice([there]) as device:
            read(here)
            assert device.waits == []
            read(there * 2)
        assert len(device.waits) == 1, read
