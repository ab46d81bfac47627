"""The settings of the server. Imports no torch, so that `--help` is fast."""

import ipaddress

from s2scli.settings import Settings, setting


def is_local(host: str) -> bool:
    """Return whether a name or an address can only be that of this computer."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class ServeSettings(Settings):
    """Where the server listens, and what it keeps and shows."""

    panel = "Server"

    host: str = setting(
        "127.0.0.1",
        "Address to listen on. Any but that of this computer itself (loopback) needs --token-file.",
        "address",
    )
    port: int = setting(
        5000,
        "Port to listen on, by default that of LibreTranslate; 0 is any free one.",
        ge=0,
        le=65535,
    )
    batch_lines: int = setting(
        64,
        "Translate at most this many waiting lines together; a request with more lines takes turns "
        "with the others.",
        "lines",
        ge=1,
        le=4096,
    )
    cache_lines: int = setting(
        1000, "Keep the translations of this many lines; 0 keeps none.", "lines", ge=0, le=1_000_000
    )
    metrics: bool = setting(
        False, "Show counts and times at /metrics, for Prometheus; they hold no text."
    )

    @property
    def is_local(self) -> bool:
        """Whether only programs on this computer can connect."""
        return is_local(self.host)


class RequestLimits(Settings):
    """What a request may ask for. An answer that refuses a request names the limit."""

    panel = "Limits"

    max_characters: int = setting(
        5000, "Characters of all texts of a request.", "characters", ge=1, le=10_000_000
    )
    max_lines: int = setting(
        200,
        "Lines of all texts of a request; with format=html, pieces of text between tags.",
        "lines",
        ge=1,
        le=100_000,
    )
    max_alternatives: int = setting(
        4, "Alternatives of each translation.", "alternatives", ge=0, le=99
    )
    max_inspected: int = setting(
        400,
        "Characters of a sentence whose attention, search or saliency is shown.",
        "characters",
        ge=1,
        le=10_000,
    )
    max_body: int = setting(
        10_000_000, "Bytes of the body of a request.", "bytes", ge=1000, le=1_000_000_000
    )
    max_sound: float = setting(
        120.0, "Duration of a recording, in seconds.", "seconds", gt=0.0, le=36_000.0
    )
    max_waiting: int = setting(
        2000,
        "Lines that may wait for each model; more are refused with status 429.",
        "lines",
        ge=1,
        le=1_000_000,
    )
    max_seconds: float = setting(
        30.0, "Time from a request to its answer, in seconds.", "seconds", gt=0.0, le=3600.0
    )
