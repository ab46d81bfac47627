"""Counts of kept and dropped rows of a corpus, and a summary of each split."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from s2scli.artifacts import first_fault, read_json
from s2scli.data.example import Example
from s2scli.data.rows import Changed, Dropped, Row
from s2scli.data.store import SPLITS
from s2scli.errors import CheckpointError
from s2scli.manifest import encode_json
from s2scli.sides import TEXT, Sides

REPORT = "report.json"
TINY = 1e-9
SAMPLES, SAMPLE_CHARACTERS = 3, 200


@dataclass(frozen=True)
class Sample:
    """A row that a rule dropped or changed; texts are cut to 200 characters.

    Attributes:
        line: its line number.
        source: the source; of a changed row, after the rule.
        target: the target, likewise.
        source_before: the source before the rule; "" if the row was dropped, or if what was
            replaced must not be shown.
        target_before: the target before, likewise.
    """

    line: int
    source: str
    target: str
    source_before: str = ""
    target_before: str = ""

    def cut(self) -> "Sample":
        """Return the sample with texts of at most 200 characters."""
        texts = (self.source, self.target, self.source_before, self.target_before)
        return Sample(self.line, *(_cut(text) for text in texts))

    def tree(self) -> dict[str, Any]:
        """Return the sample for `report.json`, without the texts that are not there."""
        before = {"source_before", "target_before"}
        return {name: value for name, value in asdict(self).items() if value or name not in before}


@dataclass(frozen=True)
class DroppedRows:
    """How many rows were dropped for one reason, and the first of them."""

    count: int
    samples: tuple[Sample, ...] = ()

    def on_lines_after(self, before: int) -> "DroppedRows":
        """Return the same rows with the line numbers of a file that begins after others."""
        return replace(
            self, samples=tuple(replace(one, line=one.line - before) for one in self.samples)
        )


@dataclass(frozen=True)
class FileAccount:
    """Counts for one input: a file, or two parallel files.

    `read` is always `kept` plus the sum of `dropped`.

    Attributes:
        role: corpus, valid or test.
        names: the name of each file, without folders.
        sha256: the SHA-256 of each file.
        read: the number of lines read.
        kept: the number of rows that are in a split.
        dropped: the number of rows dropped, by reason.
        changed: the number of rows whose text was changed, by rule. They are kept, or dropped for
            another reason.
        samples: the first rows that were dropped or changed, by reason or rule.
    """

    role: str
    names: tuple[str, ...]
    sha256: tuple[str, ...]
    read: int
    kept: int
    dropped: dict[str, int]
    changed: dict[str, int] = field(default_factory=dict)
    samples: dict[str, tuple[Sample, ...]] = field(default_factory=dict)

    def plus(self, other: "FileAccount") -> "FileAccount":
        """Return the sum of this account and another one of the same role."""
        return FileAccount(
            self.role,
            self.names + other.names,
            self.sha256 + other.sha256,
            self.read + other.read,
            self.kept + other.kept,
            dict(sorted((Counter(self.dropped) + Counter(other.dropped)).items())),
            dict(sorted((Counter(self.changed) + Counter(other.changed)).items())),
            {
                name: (*self.samples.get(name, ()), *other.samples.get(name, ()))[:SAMPLES]
                for name in sorted(self.samples.keys() | other.samples.keys())
            },
        )

    def tree(self) -> dict[str, Any]:
        """Return the account for `report.json`, without what nothing was changed or shown of."""
        tree = asdict(self)
        samples = {name: [one.tree() for one in part] for name, part in self.samples.items()}
        for name, part in (("changed", self.changed), ("samples", samples)):
            del tree[name]
            if part:
                tree[name] = part
        return tree


@dataclass(frozen=True)
class SplitSummary:
    """Statistics of a split.

    Attributes:
        rows: the number of rows.
        source_characters: the mean length of a source: in characters for text, in samples for
            audio, in values (width x height x channels) for images.
        target_characters: the mean length of a target, likewise.
        length_correlation: Pearson correlation of the log lengths of source and target, from -1 to
            1. It is near 0 if the sides are not aligned, and in dialogue. None if there are fewer
            than two rows, or if all sources or all targets have the same length.
        source_equals_target: the number of rows with the same text on both sides.
        not_nfc: the number of rows that Unicode normalization (NFC) would change.
        source_in_train: the number of rows whose source is also in the train split; from text to
            pictures, whose target is. 0 unless the split was read from a file of its own.
    """

    rows: int
    source_characters: float
    target_characters: float
    length_correlation: float | None
    source_equals_target: int
    not_nfc: int
    source_in_train: int

    @property
    def length_ratio(self) -> float:
        """Mean target length divided by mean source length; 0 if that is 0."""
        return self.target_characters / self.source_characters if self.source_characters else 0.0


@dataclass(frozen=True)
class Report:
    """The content of `report.json`: what `s2s prepare` read, kept and dropped.

    Attributes:
        files: the account of each file, or of each pair of parallel files.
        splits: the summary of each split.
        notices: messages for the user.
        sides: the kind of each side; the file leaves it out if both are text.
    """

    files: tuple[FileAccount, ...]
    splits: dict[str, SplitSummary]
    notices: tuple[str, ...]
    sides: Sides = TEXT

    def tree(self) -> dict[str, Any]:
        """Return the content of `report.json`."""
        tree = asdict(self)
        tree["files"] = [account.tree() for account in self.files]
        if self.sides.are_text:
            del tree["sides"]
        return tree

    def by_role(self) -> list[FileAccount]:
        """Return one account per role, which sums over all files of the role."""
        together: dict[str, FileAccount] = {}
        for account in self.files:
            before = together.get(account.role)
            together[account.role] = before.plus(account) if before else account
        return list(together.values())


def write_report(folder: Path, report: Report) -> None:
    """Write `report.json` into the corpus folder."""
    (folder / REPORT).write_bytes(encode_json(report.tree()))


def read_report(folder: Path) -> Report:
    """Read the report of the corpus in `folder`.

    Raises:
        CheckpointError: the report is missing or damaged.
    """
    tree = read_json(folder / REPORT)
    try:
        report = TypeAdapter(Report).validate_python(tree)
    except ValidationError as error:
        raise CheckpointError(
            f"{folder / REPORT}: damaged ({first_fault(error)}); make it again with `s2s prepare`"
        ) from error
    splits = {name: report.splits[name] for name in SPLITS if name in report.splits}
    return replace(report, splits=splits)


@dataclass
class RowTally:
    """Counts the rows of a stream.

    Attributes:
        read: the number of lines read.
        dropped: the number of rows dropped, by reason.
        changed: the number of rows whose text was changed, by rule.
        samples: the first rows that were dropped or changed, by reason or rule.
        notices: the notices about the file.
    """

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def keep(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Yield the examples in `rows`, count every line, and collect the notices."""
        for row in rows:
            if isinstance(row, Example):
                self.read += 1
                yield row
            elif isinstance(row, Dropped):
                self.read += 1
                self.dropped[row.reason] += 1
                if row.source or row.target:
                    self._keep_sample(row.reason, Sample(row.line, row.source, row.target))
            elif isinstance(row, Changed):
                self.changed[row.reason] += 1
                self._keep_sample(row.reason, Sample(row.line, *row.after, *row.before))
            else:
                self.notices.append(row.text)

    def _keep_sample(self, name: str, sample: Sample) -> None:
        kept = self.samples.setdefault(name, [])
        if len(kept) < SAMPLES:
            kept.append(sample.cut())

    def add(self, other: "RowTally", before: int = 0) -> None:
        """Add the counts of the rows that follow, whose line numbers begin after `before`."""
        self.read += other.read
        self.dropped.update(other.dropped)
        self.changed.update(other.changed)
        self.notices += other.notices
        for name, samples in other.samples.items():
            moved = (replace(sample, line=sample.line + before) for sample in samples)
            for sample in moved:
                self._keep_sample(name, sample)

    def drop(self, reason: str, rows: DroppedRows) -> None:
        """Count some of the rows read as dropped after all."""
        if rows.count:
            self.dropped[reason] += rows.count
            self.samples[reason] = list(rows.samples)

    @property
    def kept(self) -> int:
        """The number of rows read and not dropped."""
        return self.read - self.dropped.total()


@dataclass
class SplitTally:
    """Computes a `SplitSummary` batch by batch.

    Attributes:
        rows: the number of rows.
        source_characters: the total length of the sources.
        target_characters: the total length of the targets.
        source_equals_target: the number of rows with the same text on both sides.
        not_nfc: the number of rows that Unicode normalization (NFC) would change.
        moments: the sums that `correlation` needs, of log lengths, [3, 3].
    """

    rows: int = 0
    source_characters: int = 0
    target_characters: int = 0
    source_equals_target: int = 0
    not_nfc: int = 0
    moments: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, 3)))

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the rows of `batch`, which has the columns source and target."""
        source, target = batch.column("source"), batch.column("target")
        self.rows += batch.num_rows
        lengths = np.stack([cell_sizes(batch, "source"), cell_sizes(batch, "target")])
        self.source_characters += int(lengths[0].sum())
        self.target_characters += int(lengths[1].sum())
        powers = np.concatenate([np.ones((1, batch.num_rows)), np.log(lengths)])  # [3, rows]
        self.moments += powers @ powers.T
        self.source_equals_target += pc.sum(pc.equal(source, target)).as_py() or 0
        pairs = zip(source.to_pylist(), target.to_pylist(), strict=True)
        self.not_nfc += sum(not (_is_nfc(source) and _is_nfc(target)) for source, target in pairs)

    def summary(self, source_in_train: int) -> SplitSummary:
        """Return the summary of all rows added.

        Args:
            source_in_train: the number of rows whose source (from text to pictures, whose target)
                is also in the train split.
        """
        rows = max(1, self.rows)
        found = correlation(self.moments)
        return SplitSummary(
            self.rows,
            round(self.source_characters / rows, 2),
            round(self.target_characters / rows, 2),
            None if found is None else round(found, 3),
            self.source_equals_target,
            self.not_nfc,
            source_in_train,
        )


def cell_sizes(batch: pa.RecordBatch, side: str) -> NDArray[np.int64]:
    """Return the characters, samples or values of each cell of a side, [rows]."""
    values = f"{side}_value"
    if values in batch.schema.names:
        sizes = pc.list_value_length(batch.column(values))
    else:
        sizes = pc.utf8_length(batch.column(side))
    return np.asarray(sizes.to_numpy(), np.int64)


def correlation(moments: NDArray[np.float64]) -> float | None:
    """Return the Pearson correlation of x and y.

    It is None if there are fewer than two rows, or if x or y is constant.

    Args:
        moments: the sum over rows of the outer product of (1, x, y) with itself, [3, 3].
    """
    rows = moments[0, 0]
    if rows < 2:
        return None
    means = moments[0, 1:] / rows
    covariance = moments[1:, 1:] / rows - np.outer(means, means)
    if min(covariance[0, 0], covariance[1, 1]) < TINY:
        return None
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def _cut(text: str) -> str:
    return text if len(text) <= SAMPLE_CHARACTERS else f"{text[: SAMPLE_CHARACTERS - 1]}…"


def _is_nfc(text: str) -> bool:
    return text.isascii() or unicodedata.is_normalized("NFC", text)
