"""Trackers: other programs that show the updates and validations of a run while it goes on."""

import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from s2scli.errors import MissingExtraError
from s2scli.files import FILES, append_to_file, storage_errors, write_file

Record = Mapping[str, Any]  # a line of metrics.jsonl
GROUPS = {"update": "training", "validation": "validation"}
PROGRESS = ("kind", "step", "epoch", "seconds", "tokens", "best", "scores")


class Tracker(Protocol):
    """A second log of a run."""

    def restart(self, records: Iterable[Record]) -> None:
        """Replace everything written so far by these records.

        Raises:
            StorageError: the disk is full or writing failed.
        """
        ...

    def add(self, record: Record) -> None:
        """Append a record.

        Raises:
            StorageError: the disk is full or writing failed.
        """
        ...


class TensorBoard:
    """Writes the event file that TensorBoard reads.

    The file repeats `metrics.jsonl`, so that it is right after a crash too. Times count from the
    start of the run, and the file has no host name.

    Args:
        folder: the folder of the event file.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise MissingExtraError(
                "TensorBoard is not installed: pip install 's2scli[track]'"
            ) from error
        self._event, self._summary, self._writer = Event, Summary, RecordWriter
        self.path = folder / "events.out.tfevents.0.s2s"

    def restart(self, records: Iterable[Record]) -> None:
        """Replace the file by one with these records."""
        with storage_errors(self.path):
            FILES.make_folder(self.path.parent)
        write_file(self.path, b"")
        self._append([self._event(file_version="brain.Event:2"), *map(self._event_of, records)])

    def add(self, record: Record) -> None:
        """Append a record to the file."""
        self._append([self._event_of(record)])

    def _append(self, events: Iterable[Any]) -> None:
        writer = self._writer(written := io.BytesIO())
        for event in events:
            writer.write(event.SerializeToString())
        append_to_file(self.path, written.getvalue())

    def _event_of(self, record: Record) -> Any:
        values = [
            self._summary.Value(tag=tag, simple_value=value)
            for tag, value in scalars(record).items()
        ]
        summary = self._summary(value=values)
        return self._event(wall_time=record["seconds"], step=record["step"], summary=summary)


def scalars(record: Record) -> dict[str, float]:
    """Return the finite numbers of a record, named `training/loss`, `validation/chrf`.

    Records other than updates and validations have none.
    """
    group = GROUPS.get(record["kind"])
    if group is None:
        return {}
    values = record["scores"] if group == "validation" else record
    return {
        f"{group}/{name}": float(value)
        for name, value in values.items()
        if name not in PROGRESS and value is not None and math.isfinite(value)
    }


TRACKERS = {"tensorboard": TensorBoard}
