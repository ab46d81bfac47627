"""Listening, and a server that ends."""

import socket
import threading
import time

import httpx
import pytest

from s2scli.errors import LockedError, UsageError
from s2scli.serve.guard import Gate
from s2scli.serve.server import TICK, address_of, listen, run
from tests.serve.serving import app_of, running, served, service_of
from tests.serve.test_batching import SlowEngine
from tests.translation.stub import stub_translator


def test_a_port_is_taken_once() -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert address_of(listening) == f"http://127.0.0.1:{port}"
        assert listening.proto == socket.IPPROTO_TCP  # or each answer waits 40 ms in the kernel
        with pytest.raises(LockedError, match=f"--port {port}: another program listens there"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["203.0.113.1", "no such host"])
def test_a_wrong_address_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match=f"--host {host} --port 0: .*; choose another address"):
        listen(host, 0)


def test_addresses_of_version_6_have_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("this computer has no IPv6")
    with listen("::1", 0) as listening:
        assert address_of(listening).startswith("http://[::1]:")


def test_who_waits_is_answered_before_the_end() -> None:
    """The server begins to end while a request waits: it gets its answer, and later ones none."""
    engine = SlowEngine()
    found: list[httpx.Response] = []

    def client(address: str) -> None:
        body = {"q": "late", "source": "en", "target": "de"}
        found.append(httpx.post(f"{address}/translate", json=body, timeout=20))

    with running(service_of(served(translator=stub_translator(engine)))) as address:
        asking = threading.Thread(target=client, args=(address,))
        asking.start()
        assert engine.busy.wait(10)
        threading.Timer(0.3, engine.go.set).start()
    asking.join()
    assert found[0].json() == {"translatedText": "LATE"}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health")


def test_who_has_connected_is_answered() -> None:
    """The server begins to end before a client that has connected sends its request."""
    with running(service_of()) as address:
        port = int(address.rpartition(":")[2])
        late = socket.create_connection(("127.0.0.1", port))
        time.sleep(0.2)  # it is accepted
        threading.Timer(TICK + 0.15, late.sendall, [b"GET /health HTTP/1.1\r\n\r\n"]).start()
    with late:
        assert late.recv(1000).startswith(b"HTTP/1.1 ")


def test_a_server_that_is_to_end_before_it_begins_just_ends() -> None:
    gate = Gate(draining=True)
    with listen("127.0.0.1", 0) as listening:
        run(app_of(service_of(), gate=gate), gate, listening, 1.0)


def test_a_client_that_goes_away_is_dropped() -> None:
    engine = SlowEngine()
    service = service_of(served(translator=stub_translator(engine)))
    queue, body = service.queues["en-de"], {"source": "en", "target": "de"}
    with running(service) as address:
        first = threading.Thread(
            target=httpx.post, args=(f"{address}/translate",), kwargs={"json": {"q": "1", **body}}
        )
        first.start()
        assert engine.busy.wait(10)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{address}/translate", json={"q": "gone", **body}, timeout=0.2)
        deadline = time.monotonic() + 5
        while queue.waiting and time.monotonic() < deadline:
            time.sleep(0.02)
        engine.go.set()
        first.join()
    assert engine.batches == [["1"]]
