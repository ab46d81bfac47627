"""The queue: what waits together is translated together, and nothing is mixed up."""

import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any

import pytest

from s2scli.data.codecs.cell import Stored
from s2scli.data.stream import Line
from s2scli.serve.batching import BatchingQueue
from s2scli.serve.refusal import RequestError
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import Record
from tests.translation.stub import StubEngine, stub_translator

OPTIONS = Options(StubEngine().settings)
OTHER = Options(StubEngine().settings, wanted=Wanted(scores=False))


@dataclass
class SlowEngine(StubEngine):
    """A stub that waits at its first batch until it may go on."""

    go: threading.Event = field(default_factory=threading.Event)
    busy: threading.Event = field(default_factory=threading.Event)

    def search(self, *arguments: Any, **more: Any) -> Any:
        self.busy.set()
        assert self.go.wait(10)
        return super().search(*arguments, **more)


def texts(future: Future[list[Record]]) -> list[str]:
    return [record.text for record in future.result(10)]


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


@pytest.fixture
def queue(engine: SlowEngine) -> Iterator[BatchingQueue]:
    """A queue whose engine is busy with the line `first`."""
    queue = BatchingQueue(stub_translator(engine), batch_lines=4, max_waiting=20)
    queue.submit(["first"], OPTIONS)
    assert engine.busy.wait(10)
    yield queue
    engine.go.set()
    queue.close()


def finish(engine: SlowEngine, futures: Sequence[Future[Any]]) -> None:
    engine.go.set()
    wait(futures, 10)


def test_what_waits_together_is_translated_together(
    queue: BatchingQueue, engine: SlowEngine
) -> None:
    futures = [queue.submit([word], OPTIONS) for word in ("a", "b", "c")]
    finish(engine, futures)
    assert [texts(future) for future in futures] == [["A"], ["B"], ["C"]]
    assert engine.batches == [["first"], ["a", "b", "c"]]


def test_requests_take_turns(queue: BatchingQueue, engine: SlowEngine) -> None:
    ended: list[str] = []
    long = queue.submit([f"long{i}" for i in range(10)], OPTIONS)
    short = queue.submit(["short"], OPTIONS)
    long.add_done_callback(lambda _: ended.append("long"))
    short.add_done_callback(lambda _: ended.append("short"))
    finish(engine, [long, short])
    assert texts(long) == [f"LONG{i}" for i in range(10)]
    assert ended == ["short", "long"]
    assert all(len(batch) <= 4 for batch in engine.batches)
    assert [len(batch) for batch in engine.batches] == [1, 4, 4, 3]


def test_other_options_are_another_batch(queue: BatchingQueue, engine: SlowEngine) -> None:
    futures = [queue.submit([word], options) for word, options in (("a", OPTIONS), ("b", OTHER))]
    finish(engine, futures)
    assert engine.batches == [["first"], ["a"], ["b"]]


def test_who_goes_away_is_dropped(queue: BatchingQueue, engine: SlowEngine) -> None:
    gone, here = queue.submit(["gone"], OPTIONS), queue.submit(["here"], OPTIONS)
    assert gone.cancel()
    finish(engine, [here])
    assert texts(here) == ["HERE"]
    assert engine.batches == [["first"], ["here"]]


def test_too_many_lines_are_refused(queue: BatchingQueue, engine: SlowEngine) -> None:
    held = queue.submit(["a"] * 19, OPTIONS)
    assert queue.waiting == 19
    with pytest.raises(RequestError, match=r"max_waiting: 19 lines wait.* 20") as refused:
        queue.submit(["b"] * 2, OPTIONS)
    assert refused.value.status == 429
    finish(engine, [queue.submit(["b"], OPTIONS), held])


def test_a_call_takes_its_turn(queue: BatchingQueue, engine: SlowEngine) -> None:
    futures = [queue.call(lambda: engine.batches[:]), queue.call(lambda: 1 // 0)]
    finish(engine, futures)
    assert futures[0].result() == [["first"]]
    assert isinstance(futures[1].exception(), ZeroDivisionError)


def test_closing_finishes_what_waits(queue: BatchingQueue, engine: SlowEngine) -> None:
    future = queue.submit(["late"], OPTIONS)
    engine.go.set()
    queue.close()
    assert texts(future) == ["LATE"]


def test_an_error_is_that_of_its_batch_only() -> None:
    engine = StubEngine()
    queue = BatchingQueue(stub_translator(engine), 4, 20)
    bad = queue.submit(["a b c d e f g h i j"], Options(engine.settings, "error"))
    assert "too long" in str(bad.exception(10))
    assert texts(queue.submit(["fine"], OPTIONS)) == ["FINE"]
    queue.close()


def test_requests_that_fail_together_leave_the_queue_at_work() -> None:
    engine = StubEngine()
    queue = BatchingQueue(stub_translator(engine), 4, 40)
    strict, long = Options(engine.settings, "error"), "a b c d e f g h i j"
    bad = [queue.submit([long] * 10, strict), queue.submit([long] * 10, strict)]
    for future in bad:  # each has lines left when its first batch fails
        assert "too long" in str(future.exception(10))
    assert texts(queue.submit(["fine"], OPTIONS)) == ["FINE"]
    queue.close()


def test_lines_are_kept_but_no_recordings() -> None:
    engine = StubEngine()
    queue = BatchingQueue(stub_translator(engine), 4, 20, cache_lines=2)
    for words in (["a", "b"], ["b"], ["c"], ["b"], ["a"]):
        assert texts(queue.submit(words, OPTIONS)) == [word.upper() for word in words]
    assert engine.batches == [["a", "b"], ["c"], ["a"]]
    for word in ("x", "y"):  # two files of the same name
        queue.submit([Stored("file", engine.codec.encode(word))], OPTIONS).result(10)
    assert engine.batches[3:] == [["file"], ["file"]]
    queue.close()


def test_many_clients_get_their_own_answers() -> None:
    """Whatever comes together, each request gets what its lines give alone."""
    translator, order = stub_translator(), random.Random(1)
    asked = [[f"{client} {n}" for n in range(order.randrange(6))] for client in range(200)]
    counted: list[int] = []
    queue = BatchingQueue(translator, 7, 10_000, 50, counted.append)
    found: dict[int, list[str]] = {}

    def client(number: int) -> None:
        found[number] = texts(queue.submit(asked[number], OPTIONS))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.close()
    alone = {
        number: [next(translator.translate([Line("", 1, text)], OPTIONS)).text for text in lines]
        for number, lines in enumerate(asked)
    }
    assert found == alone
    assert sum(counted) == sum(map(len, asked))
    assert max(counted) <= 7
