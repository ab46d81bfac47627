"""The loop among several processes: what is added up, agreed on, and done once."""

import math
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import s2scli
from s2scli.data.encoded import EncodedSplit
from s2scli.errors import StorageError
from s2scli.model.kernels.batch_norm import BatchNorm
from s2scli.training.events import Event, Finished, Saved, Update
from s2scli.training.loop import Run
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings
from s2scli.training.world import OneProcess, World
from tests.training.runs import Session, make_run, training_settings, write_split
from tests.training.worlds import Member, together

building = threading.Lock()  # threads share the random generator
SOME = {"batch_tokens": 80, "log_every": 1, "save_every": 100, "validate_every": 100}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return write_split(tmp_path_factory.mktemp("split"), 60)


def run_in(world: World, settings: TrainingSettings) -> Run:
    with building:
        run = make_run(settings)
    run.world = world
    return run


def test_one_process_has_everything_to_itself() -> None:
    world, weight = OneProcess(), nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([1.0, 2.0])
    done: list[int] = []
    world.once(lambda: done.append(1))
    world.sum_gradients([weight])
    world.separate_seeds(1, 2)
    world.barrier()
    assert (world.rank, world.size, world.is_first) == (0, 1, True)
    assert (world.sum(3), world.agree(15), world.broadcast(2.5)) == (3, 15, 2.5)
    assert world.share(np.arange(3), np.ones(3, np.int32)).tolist() == [0, 1, 2]
    assert (world.gather([1, "a"]), world.separate([1, 2])) == ([1, "a"], [1, 2])
    assert (world.first(lambda: 5), world.choose(6, 7), world.launch) == (5, 6, "")
    assert world.device(torch.device("cpu")) == torch.device("cpu")
    assert (weight.grad.tolist(), done) == ([1.0, 2.0], [1])


@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_with_half_of_each_batch_are_one_with_the_whole(
    split: EncodedSplit, accumulate: int
) -> None:
    settings = training_settings(**SOME, accumulate=accumulate, limits={"max_steps": 8})

    def work(world: World) -> tuple[Run, list[Event]]:
        run = run_in(world, settings)
        return run, Session(run, split).events()

    alone, expected = work(OneProcess())
    for run, events in together(2, work):
        for name, weight in run.model.named_parameters():
            torch.testing.assert_close(weight, alone.model.get_parameter(name))
        updates = [
            [(e.tokens, e.loss, e.gradient_norm) for e in each if isinstance(e, Update)]
            for each in (events, expected)
        ]
        assert len(updates[0]) == 8
        assert updates[0] == [pytest.approx(each, rel=1e-4) for each in updates[1]]


def test_all_are_asked_the_same_in_the_same_order(split: EncodedSplit) -> None:
    settings = training_settings(**SOME, limits={"max_steps": 2})

    def work(world: World) -> list[str]:
        assert isinstance(world, Member)
        Session(run_in(world, settings), split, [1.0]).events()
        return world.calls

    first, second = together(2, work)
    assert first == second
    validation = ["broadcast", "broadcast", "broadcast"]  # time, the loss, time
    update = ["sum_gradients", "sum", "average", "broadcast"]
    look = ["gather", "sum"]  # at a log line
    assert first == [
        *("agree", *validation, "agree", "once"),
        *(*update, *look),
        *("agree", *update, *look),
        *("agree", *validation, "once"),
    ]


def test_the_signal_of_one_ends_all(split: EncodedSplit) -> None:
    def work(world: World) -> Event:
        run = run_in(world, training_settings(**SOME))
        asked = 3 if world.rank else 10**6
        stop = lambda: 15 * (run.progress.step >= asked)  # noqa: E731
        return Session(run, split, stop=stop).events()[-1]

    assert together(2, work) == [Finished(3, "stopped by a signal", 15)] * 2


def test_statistics_of_frozen_norms_are_not_averaged(split: EncodedSplit) -> None:
    """The weighted mean of equal numbers differs from them in the last bits."""
    learning, frozen = BatchNorm(2), BatchNorm(3)
    frozen.gain.requires_grad_(False)
    run = make_run(training_settings(**SOME, limits={"max_steps": 2}))
    for name, norm in (("learning", learning), ("frozen", frozen)):
        run.model.add_module(name, norm)
    run = replace(run)
    averaged: list[Sequence[Tensor]] = []

    class Watched(OneProcess):
        def average(self, statistics: Sequence[Tensor], weight: int) -> None:
            averaged.append(statistics)

    run.world = Watched()
    Session(run, split).events()
    assert averaged == [[learning.mean, learning.variance]] * 2


def test_the_bad_gradient_of_one_skips_the_update_of_all(split: EncodedSplit) -> None:
    def work(world: World) -> Progress:
        run = run_in(world, training_settings(**SOME, limits={"max_steps": 4}))

        def spoil(gradient: torch.Tensor) -> torch.Tensor:
            return gradient * math.nan if world.rank and run.progress.step == 1 else gradient

        next(run.model.parameters()).register_hook(spoil)  # type: ignore[no-untyped-call]
        Session(run, split).events()
        return run.progress

    first, second = together(2, work)
    assert first == second, "seconds included"
    assert first.skipped == 1


class Disagreeing(Session):
    """A session whose validation finds in every process something else."""

    def _validate(self) -> Mapping[str, float]:
        return {"loss": 1.0 + self.run.world.rank * self.run.progress.step}


def test_all_go_by_the_scores_of_the_first(split: EncodedSplit) -> None:
    settings = training_settings(
        **SOME | {"validate_every": 1}, limits={"patience": 2}, schedule={"kind": "plateau"}
    )

    def work(world: World) -> tuple[Event, Progress]:
        run = run_in(world, settings)
        return Disagreeing(run, split).events()[-1], run.progress

    first, second = together(2, work)
    assert first == second
    assert first[1].best_score == 1.0


class FullDisk(Session):
    """A session whose disk is full at first."""

    def save(self, progress: Progress) -> None:
        super().save(progress)
        if progress.step == 0:
            raise StorageError("No space left on device")


def test_only_the_first_saves_and_all_learn_that_it_could_not(split: EncodedSplit) -> None:
    def work(world: World) -> tuple[list[int], list[Event]]:
        run = run_in(world, training_settings(**SOME, limits={"max_steps": 1}))
        session = FullDisk(run, split)
        events = session.events()
        return session.saves, [event for event in events if isinstance(event, Saved)]

    (saves, first), (none, second) = together(2, work)
    assert (saves, none) == ([0, 1], [])
    assert first == second == [Saved(0, "No space left on device"), Saved(1)]


def test_a_last_checkpoint_that_cannot_be_written_is_an_error_of_all(split: EncodedSplit) -> None:
    def work(world: World) -> str:
        run = run_in(world, training_settings(**SOME))
        with pytest.raises(StorageError) as refusal:
            FullDisk(run, split, stop=lambda: 15).events()
        return str(refusal.value)

    assert together(2, work) == ["No space left on device"] * 2


def test_nobody_else_asks_which_process_this_is() -> None:
    package = Path(s2scli.__file__).parent
    asking = re.compile(r"world\.(rank|is_first)\b")
    others = [path for path in package.rglob("*.py") if path.parent.name != "report"]
    found = {path.name for path in others if asking.search(path.read_text(encoding="utf-8"))}
    assert found <= {"world.py"}
