"""`s2s serve`: from its start to its end, and what it refuses."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from tests.cli.inspecting import refused

BODY = {"q": "A dog runs .", "source": "en", "target": "de"}


def serve(*arguments: str | int | Path) -> Result:
    return CliRunner().invoke(app, ["serve", *map(str, arguments), "--device", "cpu"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def when_up(address: str) -> None:
    """Wait for a server."""
    for _ in range(600):
        try:
            httpx.get(f"{address}/health")
            return
        except httpx.ConnectError:
            time.sleep(0.05)
    raise AssertionError("no server came up")


def test_a_server_answers_until_a_signal(model: Path) -> None:
    port, found = free_port(), list[httpx.Response]()
    address = f"http://127.0.0.1:{port}"

    def client() -> None:
        when_up(address)
        try:
            found.append(httpx.post(f"{address}/translate", json=BODY, timeout=30))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=client)
    thread.start()
    result = serve("-m", f"en-de={model}", "--port", port, "--json")
    thread.join()
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    started = json.loads(result.stdout)
    assert started["address"] == address
    assert started["models"][0]["name"] == "en-de"
    assert "ending: answers what is queued" in result.stderr
    expected = CliRunner().invoke(app, ["translate", "-m", str(model)], input=BODY["q"])
    assert found[0].json() == {"translatedText": expected.stdout.removesuffix("\n")}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--host", "0.0.0.0"], 2, "others can connect to this address, so a token is needed"),
        (["--token-file", "none"], 66, "--token-file none: cannot be read"),
        (["-m", "a b=c"], 2, "-m a b=c: expected DIR, NAME=DIR, en-de=DIR or NAME:en-de=DIR"),
        (["--cors", "https://a.org/"], 2, "--cors https://a.org/: expected a scheme and a host"),
        (["-m", "none"], 66, "none: no model here"),
        (["--host", "127.0.0.1.1"], 2, "others can connect to this address"),
        (["--max-lines", "0"], 2, "--max-lines"),
        (["--language", "en"], 2, "--language has no effect without --unit"),
    ],
)
def test_refusals(
    arguments: list[str], status: int, message: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(serve("--port", "0", *arguments), status)


def test_two_models_need_two_names(model: Path) -> None:
    result = serve("--port", "0", "-m", model, "-m", model)
    assert "two models of the name" in refused(result, 2)


def test_a_port_in_use_is_refused(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert "another program listens there" in refused(serve("--port", port, "-m", model), 73)


def test_a_missing_extra_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith("s2scli.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "s2scli.pipeline.serve", raising=False)
    monkeypatch.delattr("s2scli.pipeline.serve", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert 'fastapi is not installed: pip install "s2scli[serve]"' in refused(serve(), 69)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_a_signal_during_load(model: Path, number: signal.Signals, status: int) -> None:
    """Who was accepted gets a whole answer; others are refused; only kill -9 tears answers."""
    port, ended = free_port(), Counter[str]()
    address, stop = f"http://127.0.0.1:{port}", threading.Event()
    command = [sys.executable, "-m", "s2scli", "serve", "-m", f"en-de={model}"]
    server = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.PIPE)

    def client() -> None:
        while not stop.is_set():
            try:
                answer = httpx.post(f"{address}/translate", json=BODY, timeout=30)
                ended[str(answer.status_code)] += 1
                assert answer.status_code == 503 or "translatedText" in answer.json()
            except httpx.ConnectError:
                ended["refused"] += 1
                time.sleep(0.05)
            except httpx.TransportError:
                ended["torn"] += 1

    when_up(address)
    clients = [threading.Thread(target=client) for _ in range(8)]
    for each in clients:
        each.start()
    time.sleep(1)
    server.send_signal(number)
    _, errors = server.communicate(timeout=60)
    stop.set()
    for each in clients:
        each.join()
    assert server.returncode == status
    assert ended["200"] > 0
    assert b"Traceback" not in errors
    assert set(ended) <= {"200", "503", "refused", *["torn"] * (number == signal.SIGKILL)}
