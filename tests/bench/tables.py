"""The tables of the benchmarks: what measures each, for how long at most, and how it is shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench import rendering
from tests.bench.results import Document

Render = Callable[[Sequence[Document]], list[str]]
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
TWO_THREADS = {"OMP_NUM_THREADS": "2"}


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        title: what it shows.
        tests: arguments of pytest: a file of tests, and which of them.
        minutes: the time limit.
        settings: environment variables; all other settings have their defaults.
        render: makes lines of Markdown of what the tests have shown.
    """

    title: str
    tests: tuple[str, ...]
    minutes: float
    settings: Mapping[str, str] = field(default_factory=lambda: ONE_THREAD)
    render: Render = rendering.figures


def _training(title: str, chosen: str, render: Render = rendering.training) -> Table:
    settings = {**ONE_THREAD, "S2S_BENCH_ROUNDS": "7", "S2S_BENCH_UPDATES": "1"}
    return Table(title, ("tests/bench/test_training.py", "-k", chosen), 40, settings, render)


def _search(title: str, chosen: str, settings: Mapping[str, str], minutes: float) -> Table:
    tests = ("tests/bench/test_search.py", "-k", chosen)
    return Table(title, tests, minutes, settings, rendering.search)


TABLES: Mapping[str, Table] = {
    "versions": Table(
        "Two versions",
        ("tests/bench/test_versions.py",),
        60,
        {**ONE_THREAD, "S2S_BENCH_ROUNDS": "3"},
    ),
    "start": Table("Start of a command", ("tests/bench/test_start.py",), 5),
    "transformer-float32": _training("Transformer, float32", "transformer and float32"),
    "transformer-bfloat16": _training("Transformer, bfloat16", "transformer and bfloat16"),
    "lstm-after-float32": _training(
        "LSTM, attention after the recurrence, float32", "lstm-after and float32"
    ),
    "lstm-before-float32": _training(
        "LSTM, attention feeding the recurrence, float32", "lstm-before and float32"
    ),
    "recipes-float32": _training(
        "Built-in recipes, float32", "recipes and float32", rendering.recipes
    ),
    "quality": Table(
        "Minutes to a score",
        ("tests/bench/test_time_to_quality.py",),
        50,
        {**TWO_THREADS, "S2S_BENCH_MINUTES": "5,26"},
        rendering.quality,
    ),
    "memory": Table(
        "Memory while training",
        ("tests/bench/test_memory.py",),
        20,
        {
            **ONE_THREAD,
            "S2S_BENCH_RECIPE": "transformer-tiny",
            "S2S_BENCH_MINUTES": "9",
            "S2S_BENCH_SET": "training.validate_every=100",
        },
        rendering.memory,
    ),
    "scale": Table(
        "Start of a run on millions of pairs",
        ("tests/bench/test_scale.py",),
        60,
        {**ONE_THREAD, "S2S_BENCH_PAIRS": "10000 1000000 3000000 10000000 30000000"},
        rendering.scale,
    ),
    "search-transformer": _search("Search with a Transformer", "transformer", ONE_THREAD, 30),
    "search-transformer-2": _search(
        "Search with a Transformer, two threads", "transformer", TWO_THREADS, 30
    ),
    "search-recurrent": _search(
        "Search with recurrent models",
        "recurrent",
        {**ONE_THREAD, "S2S_BENCH_SENTENCES": "256", "S2S_BENCH_ROUNDS": "3"},
        30,
    ),
    "engine": Table(
        "The engine CTranslate2",
        ("tests/bench/test_engine.py", "-k", "not test_engines"),
        20,
        {**ONE_THREAD, "S2S_BENCH_ROUNDS": "7"},
        rendering.engine,
    ),
    "engines": Table("The engines", ("tests/bench/test_engine.py", "-k", "test_engines"), 20),
    "recurrence": Table(
        "Recurrent layers in training", ("tests/bench/test_recurrence.py",), 10, ONE_THREAD
    ),
    "serving": Table("The server", ("tests/bench/test_serving.py",), 15, TWO_THREADS),
    "corpora": Table("Preparing a corpus", ("tests/bench/test_corpora.py",), 30),
    "reading": Table("Reading a corpus", ("tests/bench/test_reading.py",), 10),
    "protecting": Table("Protected texts", ("tests/bench/test_protecting.py",), 10),
    "processes": Table(
        "Two processes of one thread",
        ("tests/bench/test_processes.py", "-k", "two"),
        30,
        {**ONE_THREAD, "S2S_BENCH_ROUNDS": "3", "S2S_BENCH_UPDATES": "10"},
    ),
    "communication": Table(
        "Waiting for gradients", ("tests/bench/test_processes.py", "-k", "share"), 10
    ),
    "tuning": Table("Tuning", ("tests/bench/test_finding_settings.py", "-k", "tuning"), 90),
    "budget": Table("A budget", ("tests/bench/test_finding_settings.py", "-k", "budget"), 60),
    "rehearsal": Table(
        "A rehearsal", ("tests/bench/test_finding_settings.py", "-k", "rehearsal"), 20
    ),
}
