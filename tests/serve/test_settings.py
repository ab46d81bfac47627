"""Which addresses are of this computer only."""

import pytest

from s2scli.serve.settings import ServeSettings


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
    ],
)
def test_local_addresses(host: str, local: bool) -> None:
    assert ServeSettings(host=host).is_local is local
