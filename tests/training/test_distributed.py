"""Processes connected by gloo are one process together, and what one decides holds for all."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._C._distributed_c10d import HashStore

from s2scli.data.batch import Batch
from s2scli.data.encoded import EncodedSplit
from s2scli.errors import ConfigError, LockedError, LostProcessError
from s2scli.training import distributed
from s2scli.training.distributed import Distributed, is_one_of_several, joined
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import Update
from s2scli.training.progress import Progress
from s2scli.training.world import ALONE, OneProcess, World
from tests.models import MODELS, transformer_tree
from tests.training.processes import connected
from tests.training.runs import Session, make_run, training_settings, write_split

UPDATES = 50
WITHOUT_DROPOUT = {
    "lstm-feeding": MODELS["lstm-feeding"],
    "transformer": transformer_tree(dropout=0.0),
}
building = threading.Lock()  # threads share the random generator


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return write_split(tmp_path_factory.mktemp("split"), 60)


def test_numbers_are_added_up_and_agreed_on() -> None:
    def work(world: Distributed) -> tuple[object, ...]:
        return (
            (world.rank, world.size, world.is_first, world.choose("first", "other")),
            (
                world.sum(2**60 + world.rank),
                world.sum(0.1 + world.rank),
                world.agree(5 * world.rank),
            ),
            (world.broadcast(1.5 + world.rank), world.gather([f"ä{world.rank}"] * world.rank)),
        )

    members = connected(3, work)
    assert [own for own, *_ in members] == [
        (0, 3, True, "first"),
        (1, 3, False, "other"),
        (2, 3, False, "other"),
    ]
    common = ((3 * 2**60 + 3, pytest.approx(3.3), 10), (1.5, ["ä1", "ä2", "ä2"]))
    assert [each[1:] for each in members] == [members[0][1:]] * 3, "to the last bit"
    assert members[0][1:] == common


@pytest.mark.parametrize(
    ("weights", "mean"), [((5, 5, 5), [3.0] * 3), ((0, 1, 3), [5.25] * 3), ((0, 0, 0), [0, 3, 6])]
)
def test_statistics_become_their_weighted_means(
    weights: tuple[int, ...], mean: list[float]
) -> None:
    def work(world: Distributed) -> list[list[float]]:
        statistics = [nn.Parameter(torch.full((2, 1), 3.0 * world.rank)), torch.ones(1)]
        world.average(statistics, weights[world.rank])
        world.average([], weights[world.rank])
        return [each.flatten().tolist() for each in statistics]

    assert connected(3, work) == [[[each] * 2, [1.0]] for each in mean]


def test_the_error_of_the_first_is_raised_by_all() -> None:
    def work(world: Distributed) -> tuple[list[int], str]:
        done: list[int] = []
        world.once(lambda: done.append(world.rank))
        done.append(world.first(lambda: 7))

        def fail() -> None:
            raise LockedError("in use")

        with pytest.raises(LockedError) as refusal:
            world.first(fail)
        world.barrier()
        return done, str(refusal.value)

    assert connected(2, work) == [([0, 7], "in use"), ([7], "in use")]


def test_what_only_one_process_has_a_gradient_for_is_summed() -> None:
    def work(world: Distributed) -> list[object]:
        weights = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
        weights[0].grad = torch.tensor([1.0, 2.0]) * (world.rank + 1)
        if world.rank:
            weights[1].grad = torch.tensor([5.0, 6.0])
        world.sum_gradients(weights)
        return [None if each.grad is None else each.grad.tolist() for each in weights]

    assert connected(2, work) == [[[3.0, 6.0], [5.0, 6.0], None]] * 2


@pytest.mark.parametrize(
    ("kind", "accumulate"),
    [
        pytest.param("lstm-feeding", 3, marks=pytest.mark.gate),
        ("transformer", 1),
        pytest.param("lstm-feeding", 1, marks=pytest.mark.slow),
        pytest.param("transformer", 3, marks=pytest.mark.slow),
    ],
)
def test_two_are_one_over_fifty_updates(split: EncodedSplit, kind: str, accumulate: int) -> None:
    """Some batches are too small for two, and every gradient is the mean over all tokens."""
    changes = training_settings(
        batch_tokens=10,
        accumulate=accumulate,
        log_every=1,
        validate_every=100,
        save_every=100,
        optimizer={"kind": "adam", "learning_rate": 0.002},
        limits={"max_steps": UPDATES},
    )
    sizes = [len(rows) for rows in TrainingBatches(split, changes)._plan.batches]
    assert 1 in sizes

    def work(world: World) -> list[tuple[int, float]]:
        with building:
            run = make_run(changes, WITHOUT_DROPOUT[kind])
        run.world = world
        events = Session(run, split).events()
        return [(e.tokens, e.loss) for e in events if isinstance(e, Update)]

    expected = work(OneProcess())
    assert len(expected) == UPDATES
    for updates in connected(2, work):
        assert [tokens for tokens, _ in updates] == [tokens for tokens, _ in expected]
        losses = [loss for _, loss in updates]
        assert losses == pytest.approx([loss for _, loss in expected], abs=1e-5, rel=0)


@given(
    st.lists(st.integers(1, 300), min_size=0, max_size=40),
    st.integers(1, 5),
)
@settings(max_examples=50, deadline=None)
def test_a_batch_is_shared_out_by_tokens(tokens: list[int], size: int) -> None:
    rows, lengths = np.arange(100, 100 + len(tokens)), np.array(tokens, np.int32)
    shares = [Share(rank, size).share(rows, lengths) for rank in range(size)]
    assert sorted(np.concatenate(shares).tolist()) == rows.tolist()
    counts = [len(share) for share in shares]
    assert max(counts) - min(counts) <= 1
    sums = [int(lengths[share - 100].sum()) for share in shares]
    assert max(sums) - min(sums) <= max(tokens, default=0)
    assert all((np.diff(share) > 0).all() for share in shares), "in the order of the batch"


class Share(Distributed):
    """A member of a group that is asked for nothing but its share."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size


def test_the_processes_read_each_row_once_in_the_order_of_one(split: EncodedSplit) -> None:
    changes = training_settings(accumulate=2)
    alone, progress = TrainingBatches(split, changes), Progress()
    members = [TrainingBatches(split, changes, world=Share(rank, 3)) for rank in range(3)]
    for _ in range(2 * alone.updates_per_epoch):
        expected, after = alone.next(progress)
        found = [each.next(progress) for each in members]
        assert [following for _, following in found] == [after] * 3
        shared = [pair for batches, _ in found for batch in batches for pair in pairs_of(batch)]
        assert sorted(shared) == sorted(pair for batch in expected for pair in pairs_of(batch))
        progress = after


def pairs_of(batch: Batch) -> list[tuple[list[int], list[int]]]:
    """Return the ids of each pair of a batch, without padding."""
    rows = zip(batch.source.tolist(), batch.target_output.tolist(), strict=True)
    return [([i for i in source if i], [i for i in target if i]) for source, target in rows]


def test_random_states_differ_between_processes_and_depend_on_the_update() -> None:
    def drawn(rank: int, step: int) -> float:
        torch.manual_seed(1)
        Share(rank, 3).separate_seeds(1, step)
        return float(torch.rand(1))

    found = [drawn(rank, step) for rank in (1, 2) for step in (1, 2)]
    assert len({*found}) == 4
    assert found == [drawn(rank, step) for rank in (1, 2) for step in (1, 2)]
    assert drawn(0, 1) == drawn(0, 2), "the first goes on with its own"
    seeds = [tuple(Share(rank, 3).separate([1, 2])) for rank in range(3)]
    assert seeds == [(1, 2), (1, 2, 1), (1, 2, 2)]


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    world = Share(3, 4)
    world.local_rank = 1
    assert world.device(torch.device("cpu")) == torch.device("cpu")
    assert [world.device(torch.device("cuda"))] == chosen == [torch.device("cuda", 1)]
    with pytest.raises(ConfigError, match=r"--device cuda:0 .* 2 GPUs"):
        world.device(torch.device("cuda:0"))
    world.local_rank = 2
    with pytest.raises(ConfigError, match="at most one process per GPU"):
        world.device(torch.device("cuda"))


def test_a_process_that_went_away_is_missed() -> None:
    def work(world: Distributed) -> str:
        world.barrier()
        if world.rank:
            return "gone"
        with pytest.raises(LostProcessError, match="lost the connection") as loss:
            world.sum(1)
        return type(loss.value).__name__

    assert connected(2, work) == ["LostProcessError", "gone"]


def test_a_process_that_is_done_waits_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    store = HashStore()
    monkeypatch.setattr(dist.distributed_c10d, "_get_default_store", lambda: store)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    early = threading.Thread(target=distributed._leave_together)
    early.start()
    early.join(0.1)
    assert early.is_alive()
    distributed._leave_together()
    early.join(5)
    assert not early.is_alive()


def test_a_launcher_is_told_from_all_others() -> None:
    """By its id, and where the system says it by the time of its start: ids are used again."""
    found = distributed._launcher()
    assert found == distributed._launcher()
    number, _, started = found.partition("-")
    assert int(number) == os.getppid()
    assert started.isdecimal() == Path("/proc/self/stat").exists()


@pytest.mark.parametrize(
    ("variables", "several"),
    [
        ({}, False),
        ({"WORLD_SIZE": "2"}, False),
        ({"WORLD_SIZE": "1", "RANK": "0"}, False),
        ({"WORLD_SIZE": "2", "RANK": "1"}, True),
        ({"WORLD_SIZE": "two", "RANK": "1"}, False),
    ],
)
def test_a_process_without_a_launcher_is_alone(variables: dict[str, str], several: bool) -> None:
    assert is_one_of_several(variables) is several
    if not several:
        with joined(variables) as world:
            assert world is ALONE
