"""What happened to every row of a corpus, and a summary of each split."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from s2scli.artifacts import first_fault, read_json
from s2scli.data.cleaning import DUPLICATE
from s2scli.data.example import Example
from s2scli.data.rows import Dropped, Row
from s2scli.data.store import SPLITS
from s2scli.errors import CheckpointError
from s2scli.manifest import encode_json
from s2scli.sides import TEXT, Sides

REPORT = "report.json"
TINY = 1e-9


@dataclass(frozen=True)
class FileAccount:
    """The rows of one input, a file or two parallel ones: `read` = `kept` + the sum of `dropped`.

    Attributes:
        role: corpus, valid or test.
        names: the file's name, or the names of its two files, without folders.
        sha256: the SHA-256 of each of them.
        read: lines in it.
        kept: rows that went into a split.
        dropped: rows that did not, by reason.
    """

    role: str
    names: tuple[str, ...]
    sha256: tuple[str, ...]
    read: int
    kept: int
    dropped: dict[str, int]

    def plus(self, other: "FileAccount") -> "FileAccount":
        """Return the account of these files and others of the same role."""
        return FileAccount(
            self.role,
            self.names + other.names,
            self.sha256 + other.sha256,
            self.read + other.read,
            self.kept + other.kept,
            dict(sorted((Counter(self.dropped) + Counter(other.dropped)).items())),
        )


@dataclass(frozen=True)
class SplitSummary:
    """A summary of a split.

    Attributes:
        rows: the number of its rows.
        source_characters: the mean length of a source in characters; in samples if it is sound,
            in values (width x height x channels) if it is a picture.
        target_characters: the mean length of a target, likewise.
        source_equals_target: rows with the same text on both sides.
        length_correlation: Pearson's r of the logarithms of the two sides' lengths, -1 to 1: near
            0 where the sides are not aligned, or in dialogue; None where all sources or all
            targets are equally long.
        not_nfc: rows that Unicode normalisation (NFC) would change.
        source_in_train: rows whose source is also in the train split (all of them for train).
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
        """Mean target length over mean source length, in characters."""
        return self.target_characters / self.source_characters if self.source_characters else 0.0


@dataclass(frozen=True)
class Report:
    """The whole account of a preparation, as in `report.json`.

    Attributes:
        files: the account of each file, or of two parallel ones.
        splits: the summary of each split.
        notices: what the user should know.
        sides: what the sides are made of; for text it is left out of the file.
    """

    files: tuple[FileAccount, ...]
    splits: dict[str, SplitSummary]
    notices: tuple[str, ...]
    sides: Sides = TEXT

    def by_role(self) -> list[FileAccount]:
        """Return one account for each role, of all its files together."""
        together: dict[str, FileAccount] = {}
        for account in self.files:
            before = together.get(account.role)
            together[account.role] = before.plus(account) if before else account
        return list(together.values())


def write_report(folder: Path, report: Report) -> None:
    """Write `report.json` into the corpus folder."""
    tree = asdict(report)
    if report.sides.are_text:
        del tree["sides"]
    (folder / REPORT).write_bytes(encode_json(tree))


def read_report(folder: Path) -> Report:
    """Read the report of the corpus in `folder`.

    Raises:
        CheckpointError: it is missing or damaged.
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
    """Counts rows while they stream by.

    Attributes:
        read: lines so far.
        dropped: those that yielded no example, by reason.
        notices: what was said about the file.
    """

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    notices: list[str] = field(default_factory=list)

    def keep(self, rows: Iterable[Row]) -> Iterator[Example]:
        """Yield the examples among `rows`; count every line and collect the notices."""
        for row in rows:
            if isinstance(row, Example):
                self.read += 1
                yield row
            elif isinstance(row, Dropped):
                self.read += 1
                self.dropped[row.reason] += 1
            else:
                self.notices.append(row.text)

    def drop_duplicates(self, count: int) -> None:
        """Count rows that were found to be copies after they were read."""
        if count:
            self.dropped[DUPLICATE] += count

    @property
    def kept(self) -> int:
        """The rows read that were not dropped."""
        return self.read - self.dropped.total()


@dataclass
class SplitTally:
    """Computes a `SplitSummary`, batch by batch."""

    rows: int = 0
    source_characters: int = 0
    target_characters: int = 0
    source_equals_target: int = 0
    not_nfc: int = 0
    moments: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, 3)))

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of `batch` (columns source and target)."""
        source, target = batch.column("source"), batch.column("target")
        self.rows += batch.num_rows
        lengths = np.stack([_sizes(batch, "source"), _sizes(batch, "target")])
        self.source_characters += int(lengths[0].sum())
        self.target_characters += int(lengths[1].sum())
        powers = np.concatenate([np.ones((1, batch.num_rows)), np.log(lengths)])  # [3, rows]
        self.moments += powers @ powers.T
        self.source_equals_target += pc.sum(pc.equal(source, target)).as_py() or 0
        pairs = zip(source.to_pylist(), target.to_pylist(), strict=True)
        self.not_nfc += sum(not (_is_nfc(source) and _is_nfc(target)) for source, target in pairs)

    def summary(self, source_in_train: int) -> SplitSummary:
        """Return the summary of the rows counted."""
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


def _sizes(batch: pa.RecordBatch, side: str) -> NDArray[np.int64]:
    """Return the characters, samples or values of each cell of a side, [rows]."""
    values = f"{side}_value"
    if values in batch.schema.names:
        sizes = pc.list_value_length(batch.column(values))
    else:
        sizes = pc.utf8_length(batch.column(side))
    return np.asarray(sizes.to_numpy(), np.int64)


def correlation(moments: NDArray[np.float64]) -> float | None:
    """Return Pearson's r of x and y from the sums of (1, x, y) (1, x, y)', [3, 3].

    It is None if there are fewer than two rows, or if x or y is the same in all of them.
    """
    rows = moments[0, 0]
    if rows < 2:
        return None
    means = moments[0, 1:] / rows
    covariance = moments[1:, 1:] / rows - np.outer(means, means)
    if min(covariance[0, 0], covariance[1, 1]) < TINY:
        return None
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def _is_nfc(text: str) -> bool:
    return text.isascii() or unicodedata.is_normalized("NFC", text)
