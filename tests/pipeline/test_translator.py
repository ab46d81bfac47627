"""Batches of a translator go side by side, and that changes no output."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from s2scli.pipeline.translator import MAX_WORKERS, Translator, side_by_side

from s2scli.data.batch import make_source
from s2scli.pipeline import translator
from s2scli.search.loop import search
from s2scli.search.settings import SearchSettings
from s2scli.workspace import Workspace

TEXTS = ["one two", "six", "two one", "one one five", "six four two", "two", "seven", "one six"] * 3
SEARCH = SearchSettings(beam_size=2, n_best=2)


@pytest.fixture(autouse=True)
def many_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let few sentences fill a batch, and give the threads back afterwards."""
    monkeypatch.setattr(translator, "BATCH_TOKENS", 24)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def loaded(trained_workspace: Path) -> Translator:
    return Translator.load(Workspace(trained_workspace).model)


def test_the_number_of_threads_changes_no_output(loaded: Translator) -> None:
    found, forced = [], []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        every = loaded.search(TEXTS, SEARCH)
        found.append([[(one.text, one.pieces) for one in each.hypotheses] for each in every])
        forced.append([each.hypotheses[0].score for each in loaded.force(TEXTS, TEXTS)])
        assert torch.get_num_threads() == threads
    assert found[0] == found[1] == found[2]
    assert forced[1] == pytest.approx(forced[0], abs=1e-5)
    assert forced[2] == pytest.approx(forced[0], abs=1e-5)


def test_a_later_thread_has_as_many_threads_as_before(loaded: Translator) -> None:
    torch.set_num_threads(3)
    loaded.search(TEXTS, SEARCH)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 3


@pytest.mark.parametrize(("threads", "names"), [(1, {"MainThread"}), (2, {"search_0", "search_1"})])
def test_each_thread_searches_a_batch_by_itself(
    loaded: Translator, monkeypatch: pytest.MonkeyPatch, threads: int, names: set[str]
) -> None:
    seen: set[str] = set()
    together = threading.Barrier(threads)

    def watched(*args: Any, **options: Any) -> Any:
        if threading.current_thread().name not in seen:
            seen.add(threading.current_thread().name)
            together.wait(timeout=60)
        assert torch.get_num_threads() == 1
        return search(*args, **options)

    torch.set_num_threads(threads)
    monkeypatch.setattr(translator, "search", watched)
    loaded.search(TEXTS, SEARCH)
    assert seen == names


def test_few_batches_share_the_threads(loaded: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(torch.get_num_threads())
        return search(*args, **options)

    torch.set_num_threads(5)
    monkeypatch.setattr(translator, "search", watched)
    monkeypatch.setattr(translator, "similar_batches", lambda *_: [[0], [1]])
    loaded.search(["a", "b"], SEARCH)
    assert seen == [2, 2]


def test_what_goes_wrong_in_a_batch_is_raised(
    loaded: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise RuntimeError("no memory")

    torch.set_num_threads(2)
    monkeypatch.setattr(translator, "search", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        loaded.search(TEXTS, SEARCH)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_interruption_ends_the_batches_that_are_searched() -> None:
    ended = []

    def work(places: Sequence[int], go_on: Callable[[], None]) -> Sequence[int]:
        if places == [0]:
            os.kill(os.getpid(), signal.SIGINT)
        for _ in range(400):
            go_on()
            time.sleep(0.05)
        ended.append(places)
        return places

    with pytest.raises(KeyboardInterrupt):
        side_by_side(work, [[0], [1], [2]], 2)
    assert not ended


def test_the_search_can_be_ended_before_a_step(loaded: Translator) -> None:
    source, lengths = make_source([np.array([5, 6, 7], dtype=np.int32)])

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        search(loaded.model, source, lengths, SEARCH, before_step=stop)


@pytest.mark.parametrize("threads", [8, 100])
def test_so_many_batches_are_in_memory_at_most(threads: int) -> None:
    seen: set[str] = set()
    together = threading.Barrier(MAX_WORKERS)

    def work(places: Sequence[int], _: Callable[[], None]) -> Sequence[int]:
        seen.add(threading.current_thread().name)
        together.wait(timeout=60)
        return places

    assert side_by_side(work, [[n] for n in range(2 * MAX_WORKERS)], threads) == {
        n: n for n in range(2 * MAX_WORKERS)
    }
    assert len(seen) == MAX_WORKERS
