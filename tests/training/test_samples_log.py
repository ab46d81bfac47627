import json
from pathlib import Path

import pytest

from s2scli.errors import CheckpointError, StorageError
from s2scli.training.samples_log import Sample, Samples, SamplesLog
from tests.faults import full_disk

pytestmark = pytest.mark.usefixtures("quick_fsync")
PLAIN = Sample("a\u2028b", "c", "d")
SEEN = Sample("a", "c", "d", ("▁a", "</s>"), ("▁d", "</s>", "x"), ((0.5, 0.5),) * 3)


@pytest.fixture
def log(tmp_path: Path) -> SamplesLog:
    log = SamplesLog(tmp_path / "samples.jsonl")
    for step in (0, 10, 20):
        log.add(step, [PLAIN, SEEN])
    return log


def test_what_is_written_is_read(log: SamplesLog) -> None:
    assert list(log.read()) == [Samples(step, (PLAIN, SEEN)) for step in (0, 10, 20)]


def test_a_resumed_run_drops_what_it_will_write_again(log: SamplesLog) -> None:
    log.forget_after(10)
    assert [each.step for each in log.read()] == [0, 10]
    log.forget_after(-1)
    assert list(log.read()) == []


def test_without_a_file_there_are_no_samples(tmp_path: Path) -> None:
    log = SamplesLog(tmp_path / "none.jsonl")
    log.forget_after(3)
    assert list(log.read()) == [] and not log.path.exists()


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 5, "sam',
        "null",
        "[" * 100_000,
        '{"step": -1, "samples": []}',
        '{"step": 1, "samples": [{"source": 1, "reference": "", "output": ""}]}',
        json.dumps(
            {
                "step": 1,
                "samples": [
                    {"source": "", "reference": "", "output": "", "attention": [[0.5]]},
                ],
            }
        ),
        json.dumps(
            {
                "step": 1,
                "samples": [
                    {
                        "source": "",
                        "reference": "",
                        "output": "",
                        "source_pieces": ["a"],
                        "target_pieces": ["b"],
                        "attention": [[7.0]],
                    },
                ],
            }
        ),
    ],
)
def test_damaged_lines_are_skipped(line: str, log: SamplesLog) -> None:
    with log.path.open("a") as file:
        file.write(line + "\n")
    assert [each.step for each in log.read()] == [0, 10, 20]


def test_half_a_line_is_taken_back(log: SamplesLog) -> None:
    whole = log.path.read_bytes()
    with full_disk(log.path, 10), pytest.raises(StorageError):
        log.add(30, [PLAIN])
    assert log.path.read_bytes() == whole
    log.add(40, [PLAIN])
    assert [each.step for each in log.read()] == [0, 10, 20, 40]


def test_a_log_that_is_no_file_is_refused(tmp_path: Path) -> None:
    log = SamplesLog(tmp_path)
    with pytest.raises(CheckpointError):
        list(log.read())
    with pytest.raises(StorageError):
        log.add(1, [PLAIN])
