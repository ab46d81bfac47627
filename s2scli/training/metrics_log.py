"""`metrics.jsonl`: one JSON object for each event of a run, in step with its checkpoints."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s2scli.files import storage_errors, write_file
from s2scli.training.events import Event, Update, Validation


class MetricsLog:
    """Appends updates and validations to a file; forgets those a resumed run will repeat."""

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
        with storage_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop what is later than `step`, and a line that a crash cut short."""
        kept = [record for record in self.read() if record["step"] <= step]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        write_file(self.path, text.encode())

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the whole records of the log, in order."""
        if not self.path.exists():
            return
        for line in self.path.read_bytes().split(b"\n"):
            try:
                record = json.loads(line)
            except ValueError:
                continue  # cut short by a crash
            if isinstance(record, dict) and "step" in record:
                yield record

    def scores_at(self, step: int) -> Mapping[str, float]:
        """Return the scores of the validation at `step`; none if there was none."""
        for record in self.read():
            if record["kind"] == "validation" and record["step"] == step:
                return dict(record["scores"])
        return {}


def _record(event: Event) -> dict[str, Any] | None:
    match event:
        case Update():
            return {"kind": "update", **asdict(event)}
        case Validation():
            return {"kind": "validation", **asdict(event), "scores": dict(event.scores)}
    return None
