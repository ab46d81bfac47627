"""`metrics.jsonl`: one JSON object per line, for what a run measures and what goes wrong.

Updates and validations hold measurements. Notes tell of skipped updates, of batches that did not
fit into memory, of going back to a checkpoint, and of findings (`training.diagnosis`).
"""

import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from s2scli.artifacts import open_artifact, read_artifact
from s2scli.files import FILES, append_to_file, storage_errors, write_file
from s2scli.training.events import Event, Finding, RolledBack, Skipped, Split, Update, Validation
from s2scli.training.tracking import Tracker

NOTHING: Mapping[str, float] = MappingProxyType({})
MAX_BYTES, MAX_LINE_BYTES, MAX_COUNT = 1_000_000_000, 100_000, 2**63
MAX_ROWS = 5000  # listed in one line
MEASUREMENTS = {"update": Update, "validation": Validation}
NOTES = {"skipped": Skipped, "rolled_back": RolledBack, "split": Split, "finding": Finding}
KIND_OF = {made: kind for kind, made in (MEASUREMENTS | NOTES).items()}
LOGGED = tuple(KIND_OF)


class MetricsLog:
    """A file to which measurements and notes are appended.

    Args:
        path: the path of the file.
        trackers: other logs that get the same records.
    """

    def __init__(self, path: Path, trackers: Sequence[Tracker] = ()) -> None:
        self.path, self.trackers = path, trackers

    def add(self, event: Event, more: Mapping[str, float] = NOTHING) -> None:
        """Append a measurement or a note; other events are not logged.

        Args:
            event: the event.
            more: more numbers to log with it.

        Raises:
            StorageError: the disk is full or writing failed.
        """
        record = _record(event)
        if record is None:
            return
        record |= more
        append_to_file(self.path, (json.dumps(record) + "\n").encode())
        for tracker in self.trackers:
            tracker.add(record)

    def sync(self) -> None:
        """Flush the file to disk. Call this before saving the checkpoint that goes with it.

        Raises:
            StorageError: the disk failed.
        """
        with storage_errors(self.path):
            FILES.sync(self.path)

    def forget_after(self, step: int, validated: int) -> Path | None:
        """Drop damaged lines, and the records that a run resumed at `step` will write again.

        Args:
            step: the last update to keep.
            validated: the update of the last validation to keep.

        Returns:
            The path of a copy of the old log if it had damaged lines, otherwise None.

        Raises:
            CheckpointError: the log is not a regular file, or too large.
            StorageError: the disk is full or writing failed.
        """
        last = {"validation": validated, "finding": validated}
        kept = [
            record
            for record in self._records()
            if record and record["step"] <= last.get(record["kind"], step)
        ]
        aside = self._set_aside() if self.damaged_line() else None
        text = "".join(json.dumps(record) + "\n" for record in kept)
        write_file(self.path, text.encode())
        for tracker in self.trackers:
            tracker.restart(kept)
        return aside

    def _set_aside(self) -> Path:
        """Copy the log to a new file in the same folder."""
        names = (self.path.with_suffix(f".damaged-{number}") for number in itertools.count(1))
        aside = next(path for path in names if not path.exists())
        write_file(aside, read_artifact(self.path, MAX_BYTES))
        return aside

    def damaged_line(self) -> int:
        """Return the number of the first damaged line, or 0.

        An incomplete last line, as a crash leaves it, does not count as damaged.
        """
        records = enumerate(self._records(), 1)
        return next((number for number, record in records if record is None), 0)

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the updates and validations in order, and skip damaged lines.

        Raises:
            CheckpointError: the log is not a regular file, or too large.
        """
        return (record for record in self._records() if record and record["kind"] in MEASUREMENTS)

    def notes(self) -> Iterator[dict[str, Any]]:
        """Yield the notes in order, and skip damaged lines; raises the same errors."""
        return (record for record in self._records() if record and record["kind"] in NOTES)

    def _records(self) -> Iterator[dict[str, Any] | None]:
        """Yield the record of each complete line, or None for a damaged line."""
        if not os.path.lexists(self.path):
            return
        with open_artifact(self.path, MAX_BYTES) as file:
            while line := file.readline(MAX_LINE_BYTES):
                record = _read_record(line)
                if record is not None or line.endswith(b"\n") or len(line) == MAX_LINE_BYTES:
                    yield record

    def tokens_per_second(self) -> float | None:
        """Return target tokens per second of training time, or None if no update was logged."""
        updates = [
            record
            for record in self.read()
            if record["kind"] == "update"
            and record.get("tokens")
            and record.get("tokens_per_second")
        ]
        if not updates:
            return None
        seconds = sum(each["tokens"] / each["tokens_per_second"] for each in updates)
        return float(sum(each["tokens"] for each in updates) / seconds)

    def scores_at(self, step: int) -> Mapping[str, float]:
        """Return the finite scores of the validation at `step`; empty if there was none."""
        return self.validations().get(step, {})

    def validations(self) -> Mapping[int, Mapping[str, float]]:
        """Return the finite scores of each validation, by step."""
        return {
            record["step"]: {
                name: score
                for name, score in record["scores"].items()
                if score is not None and math.isfinite(score)
            }
            for record in self.read()
            if record["kind"] == "validation"
        }


def _read_record(line: bytes) -> dict[str, Any] | None:
    """Return the measurement or note in a line, or None if the line holds neither."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        return None
    is_sound = {**dict.fromkeys(MEASUREMENTS, _is_measured), **dict.fromkeys(NOTES, _is_note)}
    if record["kind"] not in is_sound or not is_sound[record["kind"]](record):
        return None
    when = [record.get(name) for name in ("step", "epoch", "seconds")]
    return record if type(when[0]) is int and when[0] >= 0 and None not in when else None


def _is_measured(record: dict[str, Any]) -> bool:
    scores = record.get("scores", None if record["kind"] == "validation" else {})
    signs = record.get("signs", {})
    if not isinstance(scores, dict) or not isinstance(signs, dict):
        return False
    measured = [value for name, value in record.items() if name not in ("kind", "scores", "signs")]
    return _are_numbers([*measured, *scores.values(), *signs.values()])


def _is_note(record: dict[str, Any]) -> bool:
    values = [value for name, value in record.items() if name not in ("kind", "rows")]
    rows = record.get("rows", [])
    numbers = [value for value in values if not isinstance(value, str)]
    return isinstance(rows, list) and _are_numbers([*numbers, *rows])


def _are_numbers(values: Iterable[object]) -> bool:
    """Return whether every value is null, a float, or an integer of less than 64 bits."""
    return all(
        value is None
        or isinstance(value, float)
        or (isinstance(value, int) and abs(value) < MAX_COUNT)
        for value in values
    )


def _record(event: Event) -> dict[str, Any] | None:
    kind = KIND_OF.get(type(event))
    if kind is None or not is_dataclass(event):
        return None
    record = {"kind": kind, **asdict(event)}
    if isinstance(event, Skipped | Split):
        record |= {"rows": event.rows[:MAX_ROWS], "examples": len(event.rows)}
    if isinstance(event, Validation):
        record |= {"scores": dict(event.scores), "signs": dict(event.signs)}
        if not event.signs:
            del record["signs"]
    return record
