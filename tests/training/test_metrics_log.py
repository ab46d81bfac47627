"""The log keeps step with the checkpoints, whatever a crash left of it."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from s2scli.errors import CheckpointError, StorageError
from s2scli.training.events import Finished, Saved, Update, Validation
from s2scli.training.metrics_log import MetricsLog
from tests.faults import full_disk


def update(step: int) -> Update:
    return Update(step, 0.5, 2.25, 100, 0.001, 1.5, 3.0, 50.0)


def validation(step: int) -> Validation:
    return Validation(step, 0.5, 3.0, {"bleu": float(step)}, best=True)


def log_of(path: Path, *events: Update | Validation) -> MetricsLog:
    log = MetricsLog(path / "metrics.jsonl")
    for event in events:
        log.add(event)
    return log


def kept(log: MetricsLog) -> list[tuple[str, int]]:
    return [(record["kind"], record["step"]) for record in log.read()]


def test_updates_and_validations_are_logged_and_nothing_else(tmp_path: Path) -> None:
    log = log_of(tmp_path, update(5), validation(10))
    log.add(Saved(10))
    log.add(Finished(10, "done"))
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert lines == [
        {
            "kind": "update",
            "step": 5,
            "epoch": 0.5,
            "loss": 2.25,
            "tokens": 100,
            "learning_rate": 0.001,
            "gradient_norm": 1.5,
            "seconds": 3.0,
            "tokens_per_second": 50.0,
        },
        {
            "kind": "validation",
            "step": 10,
            "epoch": 0.5,
            "seconds": 3.0,
            "scores": {"bleu": 10.0},
            "best": True,
        },
    ]
    assert list(log.read()) == lines


def test_what_a_resumed_run_does_again_is_forgotten(tmp_path: Path) -> None:
    events = (validation(0), update(5), update(10), validation(10), update(15), validation(20))
    log = log_of(tmp_path, *events)
    log.forget_after(15, 10)
    early = [("validation", 0), ("update", 5), ("update", 10)]
    assert kept(log) == [*early, ("validation", 10), ("update", 15)]
    log.forget_after(10, 0)  # stopped at step 10 before its validation
    assert kept(log) == early
    log.forget_after(-1, -1)
    assert log.path.read_bytes() == b""


@pytest.mark.parametrize("rest", [b'{"kind": "upd', b"[]", b"\xff"])
def test_a_last_line_cut_by_a_crash_is_forgotten(tmp_path: Path, rest: bytes) -> None:
    log = log_of(tmp_path, update(5))
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + rest)
    assert kept(log) == [("update", 5)] and log.damaged_line() == 0
    assert log.forget_after(100, 100) is None
    assert log.path.read_bytes() == whole
    assert [*tmp_path.iterdir()] == [log.path]


DAMAGE = {
    "null": b"null",
    "not UTF-8": b"\xff\xfe",
    "no kind": b'{"step": 3}',
    "odd kind": b'{"kind": "sonnet", "step": 3}',
    "kind is a list": b'{"kind": [], "step": 3}',
    "no step": b'{"kind": "update"}',
    "step is text": b'{"kind": "update", "step": "3"}',
    "step is true": b'{"kind": "update", "step": true}',
    "negative step": b'{"kind": "update", "step": -1}',
    "no scores": b'{"kind": "validation", "step": 3}',
    "scores are a number": b'{"kind": "validation", "step": 3, "scores": 3}',
    "a score is a list": b'{"kind": "validation", "step": 3, "scores": {"bleu": [1]}}',
    "loss is text": b'{"kind": "update", "step": 3, "loss": "low"}',
    "huge number": b'{"kind": "update", "step": 3, "tokens": 1' + b"0" * 400 + b"}",
    "nested deeply": b"[" * 50_000,
    "long line": b'{"kind": "update", "step": 3, "' + b"x" * 200_000 + b'": 1}',
    "zeros": bytes(300_000),
}


@pytest.mark.parametrize("line", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_log_is_kept_aside(tmp_path: Path, line: bytes) -> None:
    log = log_of(tmp_path, update(5))
    whole = log.path.read_bytes()
    for name in ("metrics.damaged-1", "metrics.damaged-2"):
        damaged = whole + line + b"\n"
        log.path.write_bytes(damaged)
        assert kept(log) == [("update", 5)] and log.damaged_line() == 2
        assert log.tokens_per_second() and log.scores_at(3) == {}
        assert log.forget_after(100, 100) == tmp_path / name
        assert log.path.read_bytes() == whole
        assert (tmp_path / name).read_bytes() == damaged


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    make(log.path)
    for read in (log.damaged_line, log.tokens_per_second, lambda: log.forget_after(1, 1)):
        with pytest.raises(CheckpointError, match=r"metrics\.jsonl: not a regular file"):
            read()


def test_a_log_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    log = log_of(tmp_path, update(5))
    with log.path.open("ab") as file:
        file.truncate(10**12)
    with pytest.raises(CheckpointError, match="1000000000000 bytes is too large"):
        log.forget_after(100, 100)


def test_scores_that_are_not_finite_are_not_published(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.path.write_text(
        '{"kind": "validation", "step": 3, "epoch": 1, "seconds": 1, '
        '"scores": {"a": NaN, "b": null, "c": 1.5}}\n'
    )
    assert log.scores_at(3) == {"c": 1.5}


def test_scores_are_found_by_their_step(tmp_path: Path) -> None:
    log = log_of(tmp_path, validation(0), update(10), validation(10))
    assert log.scores_at(10) == {"bleu": 10.0}
    assert log.scores_at(5) == {}
    assert MetricsLog(tmp_path / "nothing").scores_at(0) == {}


def test_a_full_disk_is_a_storage_error() -> None:
    log = MetricsLog(Path("/dev/full"))
    with pytest.raises(StorageError, match="cannot write /dev/full: No space left on device"):
        log.add(update(1))


def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    log = log_of(tmp_path, update(5))
    whole = log.path.read_bytes()
    with full_disk(log.path, 10), pytest.raises(StorageError):
        log.add(update(10))
    assert log.path.read_bytes() == whole
    log.add(update(10))
    log.sync()
    assert kept(log) == [("update", 5), ("update", 10)]


def test_speed_is_all_tokens_over_all_training_time(tmp_path: Path) -> None:
    log = log_of(tmp_path, validation(0))
    assert log.tokens_per_second() is None
    log.add(update(5))  # 100 tokens in 2 seconds
    log.add(replace(update(10), tokens=300, tokens_per_second=300.0))  # 300 in one
    log.add(replace(update(15), tokens=0, tokens_per_second=0.0))  # all updates were skipped
    log.add(validation(15))
    assert log.tokens_per_second() == pytest.approx(400 / 3)
