"""What a server adds: throughput beside `s2s translate`, the time of one line, and a long load.

    pytest -m bench tests/bench/test_serving.py -s

prints JSON: lines per second of 32 clients that send a line each, and of `s2s translate` on the
same lines, with their ratio, in interleaved rounds; the median time of a single short line; and of
200 clients for a minute, the requests, the 50th and the 99th percentile of their times, what was
lost and what was mixed up. The server is a process of its own; its cache is off.
`S2S_BENCH_MODEL` is a model folder or an export, `S2S_BENCH_TEXT` a file of sources; without them
model and text are random. `S2S_BENCH_SECONDS` is the length of the load.
"""

import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.bench.showing import show
from tests.bench.test_engine import make_export, make_model, make_texts

CLIENTS, MANY_CLIENTS = 32, 200
ROUNDS = int(os.environ.get("S2S_BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("S2S_BENCH_SECONDS", "60"))
PROGRAM = [sys.executable, "-m", "s2scli"]


class Client:
    """A client that keeps its connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def translate(self, text: str) -> str:
        """Return the translation of a text."""
        body = json.dumps({"q": text, "source": "en", "target": "de"})
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/translate", body, headers)
        answer = self._connection.getresponse()
        document = json.loads(answer.read())
        assert answer.status == 200, document
        translated: str = document["translatedText"]
        return translated

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextlib.contextmanager
def server(model: Path) -> Iterator[int]:
    """Run a server; yield its port."""
    options = ["--port", "0", "--cache-lines", "0", "--json"]
    command = [*PROGRAM, "serve", "-m", f"en-de={model}", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout
        text = ""
        while not text.endswith("}\n") or text.count("{") != text.count("}"):
            text += process.stdout.readline()
        try:
            yield int(json.loads(text)["address"].rpartition(":")[2])
        finally:
            process.terminate()


def by_clients(port: int, texts: Sequence[str]) -> tuple[list[str], float]:
    """Translate texts with many clients; return the translations and the seconds."""
    found = [""] * len(texts)
    indices = iter(range(len(texts)))
    lock = threading.Lock()

    def work() -> None:
        with contextlib.closing(Client(port)) as client:
            while True:
                with lock:
                    index = next(indices, None)
                if index is None:
                    return
                found[index] = client.translate(texts[index])

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found, time.perf_counter() - begin


def by_command(model: Path, file: Path) -> tuple[list[str], float]:
    """Translate a file with `s2s translate`; return the translations, and the seconds it states.

    They do not include the start of the program.
    """
    command = [*PROGRAM, "translate", "-m", str(model), str(file), "-v"]
    result = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
    (stated,) = (line for line in result.stderr.splitlines() if line.endswith("lines/s)"))
    return result.stdout.splitlines(), float(stated.split(" in ")[1].split(" s ")[0])


def load(port: int, texts: Sequence[str], expected: Sequence[str]) -> dict[str, float]:
    """Let 200 clients send lines for a while; return what became of their requests."""
    seconds: list[float] = []
    lost, mixed = [0], [0]
    end = time.monotonic() + SECONDS

    def work(number: int) -> None:
        client, order = Client(port), np.random.default_rng(number)
        while time.monotonic() < end:
            index = int(order.integers(len(texts)))
            begin = time.perf_counter()
            try:
                mixed[0] += client.translate(texts[index]) != expected[index]
            except (OSError, http.client.HTTPException, AssertionError):
                lost[0] += 1
                client.close()  # the next request connects again
                continue
            seconds.append(time.perf_counter() - begin)
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(MANY_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    middle, most = np.percentile(seconds, [50, 99])
    return {
        "requests": len(seconds),
        "p50 in s": round(float(middle), 3),
        "p99 in s": round(float(most), 3),
        "lost": lost[0],
        "mixed up": mixed[0],
    }


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_serving(tmp_path: Path) -> None:
    given = os.environ.get("S2S_BENCH_MODEL")
    model = Path(given) if given else make_export(make_model(tmp_path / "model"))
    sources = os.environ.get("S2S_BENCH_TEXT")
    texts = Path(sources).read_text(encoding="utf-8").splitlines() if sources else make_texts()
    file = tmp_path / "texts"
    file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    rates: dict[str, list[float]] = {"serve": [], "translate": []}
    with server(model) as port:
        by_clients(port, texts[:CLIENTS])
        for _ in range(ROUNDS):
            served, seconds = by_clients(port, texts)
            rates["serve"].append(len(texts) / seconds)
            expected, seconds = by_command(model, file)
            rates["translate"].append(len(texts) / seconds)
            assert served == expected
        single = []
        with contextlib.closing(Client(port)) as client:
            for text in sorted(texts, key=len)[:20]:
                begin = time.perf_counter()
                client.translate(text)
                single.append(time.perf_counter() - begin)
        loaded = load(port, texts, expected)
    ratios = [a / b for a, b in zip(rates["serve"], rates["translate"], strict=True)]
    report = {
        "lines": len(texts),
        "lines/s": {name: round(statistics.median(each), 1) for name, each in rates.items()},
        "serve / translate": round(statistics.median(ratios), 3),
        "one short line in ms": round(1000 * statistics.median(single), 1),
        f"{MANY_CLIENTS} clients for {SECONDS:g} s": loaded,
    }
    show(report)
    assert loaded["lost"] == loaded["mixed up"] == 0


@pytest.mark.slow
def test_nothing_is_lost_in_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ctranslate2", reason='pip install -e ".[ctranslate2]"')
    for name, value in {"ROUNDS": 1, "SECONDS": 1.0, "CLIENTS": 2, "MANY_CLIENTS": 3}.items():
        monkeypatch.setattr(f"tests.bench.test_serving.{name}", value)
    monkeypatch.setattr("tests.bench.test_engine.SENTENCES", 8)
    test_serving(tmp_path)
    found = json.loads(capsys.readouterr().out)
    assert found["lines"] == 8 and found["3 clients for 1 s"]["requests"] > 0
