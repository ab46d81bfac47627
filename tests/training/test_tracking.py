"""TensorBoard gets what metrics.jsonl has, read back with TensorBoard's own reader."""

import builtins
import math
from pathlib import Path
from typing import Any

import pytest

from s2scli.errors import MissingExtraError, StorageError
from s2scli.training.events import Step, Update, Validation
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.tracking import TRACKERS, TensorBoard, scalars
from tests.faults import full_disk

pytestmark = pytest.mark.usefixtures("quick_fsync")
UPDATES = [Update(step, step / 10, 5.0 - step, 70, 0.01, 1.5, 2.0 * step, 50.0) for step in (1, 2)]
VALIDATION = Validation(2, 0.2, 4.5, {"loss": 3.0, "chrf": math.nan}, True)


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the steps and values of every tag, as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found: dict[str, list[tuple[int, float]]] = {}
    (path,) = folder.iterdir()
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            number = value.tensor.float_val[0] if value.HasField("tensor") else value.simple_value
            found.setdefault(value.tag, []).append((event.step, number))
    return found


def test_the_event_file_repeats_the_log(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl", [TensorBoard(tmp_path / "board")])
    log.forget_after(0, -1)
    for event in (UPDATES[0], Step(1, 0.1, 2.0), UPDATES[1], VALIDATION):
        log.add(event, {"busy_cores": 1.25} if isinstance(event, Update) else {})
    found = read(tmp_path / "board")
    assert found["training/loss"] == [(1, 4.0), (2, 3.0)]
    assert found["training/busy_cores"] == [(1, 1.25), (2, 1.25)]
    assert found["validation/loss"] == [(2, 3.0)]
    assert "validation/chrf" not in found  # not finite
    assert not {"training/step", "training/seconds", "training/kind"} & found.keys()


def test_a_resumed_run_has_each_step_once(tmp_path: Path) -> None:
    for _ in range(2):
        log = MetricsLog(tmp_path / "metrics.jsonl", [TensorBoard(tmp_path / "board")])
        log.forget_after(1, -1)
        log.add(UPDATES[1])
        log.add(VALIDATION)
    assert read(tmp_path / "board")["training/loss"] == [(2, 3.0)]
    log.forget_after(2, 2)
    assert read(tmp_path / "board")["validation/loss"] == [(2, 3.0)]


def test_the_file_depends_on_the_records_alone(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        board = TensorBoard(tmp_path / name)
        board.restart([{"kind": "update", "step": 1, "seconds": 2.5, "loss": 1.0}])
        files.append((board.path.name, board.path.read_bytes()))
    assert files[0] == files[1]


def test_scalars_are_the_finite_numbers() -> None:
    record = {"kind": "validation", "step": 1, "scores": {"bleu": 3, "loss": None}}
    assert scalars(record) == {"validation/bleu": 3.0}


def test_a_full_disk_is_a_storage_error(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path / "board")
    with pytest.raises(StorageError):
        board.add({"kind": "update", "step": 1, "seconds": 0.0})  # there is no folder


def test_half_a_record_is_taken_back(tmp_path: Path) -> None:
    """TensorBoard reads nothing after one."""
    board = TensorBoard(tmp_path / "board")
    board.restart([])
    record = {"kind": "update", "seconds": 2.5, "loss": 1.0}
    with full_disk(board.path, 10), pytest.raises(StorageError):
        board.add({**record, "step": 1})
    board.add({**record, "step": 2})
    assert read(tmp_path / "board")["training/loss"] == [(2, 1.0)]


def test_without_tensorboard_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = builtins.__import__

    def refuse(name: str, *others: Any) -> Any:
        if name.startswith("tensorboard"):
            raise ImportError
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"pip install 's2scli\[track\]'"):
        TRACKERS["tensorboard"](tmp_path)
