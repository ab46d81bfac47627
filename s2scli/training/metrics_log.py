"""`metrics.jsonl`: one JSON object for each update report and validation of a run."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from io import RawIOBase
from pathlib import Path
from typing import Any

from s2scli.files import FILES, storage_errors, write_file
from s2scli.training.events import Event, Update, Validation


class MetricsLog:
    """Appends updates and validations to a file; drops those that a resumed run will repeat."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, event: Event) -> None:
        """Append an update or a validation; other events are not logged.

        Raises:
            StorageError: the disk is full or writing failed.
        """
        record = _record(event)
        if record is None:
            return
        with storage_errors(self.path), self.path.open("ab", buffering=0) as file:
            end = file.tell()
            try:
                _write_whole(file, (json.dumps(record) + "\n").encode())
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(end)  # or the next line would follow half a line
                raise

    def sync(self) -> None:
        """Flush the file to disk, before the checkpoint that goes with it.

        Raises:
            StorageError: the disk failed.
        """
        with storage_errors(self.path):
            FILES.sync(self.path)

    def forget_after(self, step: int, validated: int) -> None:
        """Drop the records that a run resumed at `step` will repeat, and a line cut by a crash.

        Args:
            step: the last update to keep.
            validated: the update of the last validation to keep.
        """
        last = {"update": step, "validation": validated}
        kept = [
            record
            for record in self.read()
            if isinstance(record["step"], int) and record["step"] <= last.get(record["kind"], -1)
        ]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        write_file(self.path, text.encode())

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the complete records of the log, in order."""
        if not self.path.exists():
            return
        for line in self.path.read_bytes().split(b"\n"):
            try:
                record = json.loads(line)
            except ValueError:
                continue  # cut short by a crash
            if isinstance(record, dict) and record.keys() >= {"kind", "step"}:
                yield record

    def tokens_per_second(self) -> float | None:
        """Return target tokens per second of training time; None without an update line."""
        updates = [each for each in self.read() if each["kind"] == "update" and each.get("tokens")]
        if not updates:
            return None
        seconds = sum(each["tokens"] / each["tokens_per_second"] for each in updates)
        return float(sum(each["tokens"] for each in updates) / seconds)

    def scores_at(self, step: int) -> Mapping[str, float]:
        """Return the scores of the validation at `step`; empty if there was none."""
        for record in self.read():
            if record["kind"] == "validation" and record["step"] == step:
                return dict(record["scores"])
        return {}


def _write_whole(file: RawIOBase, data: bytes) -> None:
    """Write all of `data`; one call may write only a part of it."""
    while data:
        data = data[file.write(data) or 0 :]


def _record(event: Event) -> dict[str, Any] | None:
    match event:
        case Update():
            return {"kind": "update", **asdict(event)}
        case Validation():
            return {"kind": "validation", **asdict(event), "scores": dict(event.scores)}
    return None
