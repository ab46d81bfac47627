"""The log keeps step with the checkpoints, whatever a crash left of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from s2scli.errors import StorageError
from s2scli.training.events import Finished, Saved, Update, Validation
from s2scli.training.metrics_log import MetricsLog


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


@pytest.mark.parametrize(
    "rest", [b'{"kind": "upd', b"null\n", b"\xff\xfe\n", b'{"step": 3}\n', b"[]"]
)
def test_what_is_no_record_is_forgotten(tmp_path: Path, rest: bytes) -> None:
    log = log_of(tmp_path, update(5))
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + rest)
    assert kept(log) == [("update", 5)]
    log.forget_after(100, 100)
    assert log.path.read_bytes() == whole


def test_scores_are_found_by_their_step(tmp_path: Path) -> None:
    log = log_of(tmp_path, validation(0), update(10), validation(10))
    assert log.scores_at(10) == {"bleu": 10.0}
    assert log.scores_at(5) == {}
    assert MetricsLog(tmp_path / "nothing").scores_at(0) == {}


def test_a_full_disk_is_a_storage_error() -> None:
    log = MetricsLog(Path("/dev/full"))
    with pytest.raises(StorageError, match="cannot write /dev/full: No space left on device"):
        log.add(update(1))


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import s2scli.training.metrics_log as module

    log = log_of(tmp_path, update(5))
    whole = log.path.read_bytes()

    def fill(file: object, data: bytes) -> None:
        log.path.write_bytes(whole + data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write_whole", fill)
        with pytest.raises(StorageError):
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
