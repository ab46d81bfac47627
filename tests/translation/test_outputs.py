"""A file appears when it is whole, and what a killed run leaves is continued at a whole record."""

import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2scli.data.stream import StreamSettings
from s2scli.errors import CheckpointError, ConfigError, LockedError
from s2scli.files import FILES, Files
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.translation import outputs
from s2scli.translation.filter import run_filter
from s2scli.translation.options import Options, Wanted
from s2scli.translation.outputs import Resuming, open_resumable
from s2scli.translation.records import (
    RecordFormat,
    json_record,
    moses_record,
    plain_record,
    scored_record,
)
from s2scli.translation.tally import Tally
from tests.faults import KINDS, each_fault
from tests.power_loss import RecordingFiles, crash_states, write_tree
from tests.translation.stub import StubEngine, stub_translator

pytestmark = pytest.mark.usefixtures("quick_fsync")
LINES = "".join(f"line {n}\n" if n % 7 else "boom\n" for n in range(1, 24))
FORMATS = (plain_record, scored_record, moses_record, json_record)
QUIET = Talk(quiet=True)
each_format = pytest.mark.parametrize("shape", FORMATS, ids=lambda shape: shape.__name__)


class Killed(BaseException):
    """What a kill does: nothing runs after it."""


@pytest.fixture(autouse=True)
def always_journaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the journal after every window."""
    monkeypatch.setattr(outputs, "JOURNAL_SECONDS", 0.0)


def translate(
    folder: Path,
    shape: RecordFormat = plain_record,
    *,
    resume: bool = False,
    model: Sequence[str] = ("m",),
    window: int = 3,
    killed_at: int = 0,
    **options: object,
) -> Tally:
    """Translate the file `in` to `out`; fail as a kill does at window `killed_at`, from 1."""
    translator = stub_translator(StubEngine())
    chosen = Options(SearchSettings(n_best=2), wanted=Wanted(scores=True), window=window)
    windows = 0

    def answer(lines):  # type: ignore[no-untyped-def]
        nonlocal windows
        windows += 1
        if windows == killed_at:
            raise Killed
        return translator.translate(lines, chosen)

    stream = StreamSettings(window=window, max_wait=60_000)
    resuming = Resuming(model, {"beam_size": 5, **options}, resume)
    return run_filter(
        [folder / "in"], folder / "out", stream, answer, shape, QUIET, resuming=resuming
    )


def test_a_link_leads_to_the_file(tmp_path: Path) -> None:
    expected, _ = whole(tmp_path / "whole", json_record)
    (tmp_path / "far").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "far" / "out")
    (tmp_path / "in").write_text(LINES)
    translate(tmp_path, json_record)
    assert (tmp_path / "out").is_symlink() and (tmp_path / "far" / "out").read_bytes() == expected
    assert [path.name for path in (tmp_path / "far").iterdir()] == ["out"]


def whole(folder: Path, shape: RecordFormat, lines: str = LINES) -> tuple[bytes, Tally]:
    """Return the output and the counts of a run that nothing disturbed."""
    folder.mkdir()
    (folder / "in").write_text(lines)
    tally = translate(folder, shape)
    return (folder / "out").read_bytes(), tally


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@each_format
@pytest.mark.parametrize("killed_at", [2, 5, 8])
def test_a_killed_run_ends_like_one_that_was_not(
    tmp_path: Path, shape: RecordFormat, killed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, tally = whole(tmp_path / "whole", shape)
    (tmp_path / "in").write_text(LINES)
    (tmp_path / "out").write_text("before")
    monkeypatch.setattr(outputs.PartialOutput, "keep", lambda *_: None)
    with pytest.raises(Killed):
        translate(tmp_path, shape, killed_at=killed_at)
    assert (tmp_path / "out").read_text() == "before"
    assert names(tmp_path) == ["in", "out", "out.part", "out.part.json", "whole"]
    with (tmp_path / "out.part").open("ab") as file:
        file.write(b"half a rec")  # written, and not in the journal
    found = translate(tmp_path, shape, resume=True)
    assert (tmp_path / "out").read_bytes() == expected
    assert names(tmp_path) == ["in", "out", "whole"]
    counts = dataclasses.asdict(found)
    assert counts == {
        **dataclasses.asdict(tally),
        "failed": {"count": 3, "first": {str(tmp_path / "in"): [7, 14, 21]}},
    }


@settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kills=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 5)), max_size=5))
def test_kills_and_other_windows_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, kills: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("kills")
    expected, _ = whole(folder / "whole", json_record)
    (folder / "in").write_text(LINES)
    for killed_at, window in kills:
        try:
            translate(folder, json_record, resume=True, killed_at=killed_at, window=window)
        except Killed:
            continue
        break
    else:
        translate(folder, json_record, resume=True)
    assert (folder / "out").read_bytes() == expected
    assert names(folder) == ["in", "out", "whole"]


def cut_short(folder: Path) -> None:
    """Leave what a killed run leaves: the records of six lines."""
    (folder / "in").write_text(LINES)
    with pytest.raises(Killed):
        translate(folder, killed_at=3)


def test_what_does_not_belong_together_is_refused_and_kept(tmp_path: Path) -> None:
    cut_short(tmp_path)
    before = [(tmp_path / name).read_bytes() for name in ("out.part", "out.part.json")]

    def refused(message: str, **changes: object) -> None:
        with pytest.raises(ConfigError, match=f"cannot resume .*out.part: {message}; leave --res"):
            translate(tmp_path, resume=True, **changes)  # type: ignore[arg-type]
        kept = [(tmp_path / name).read_bytes() for name in ("out.part", "out.part.json")]
        assert kept == before and not (tmp_path / "out").exists()

    refused("another model made it", model=("m", "n"))
    refused(
        "it was made with other options: beam_size: 5 -> 3; seed: None -> 1", beam_size=3, seed=1
    )
    (tmp_path / "in").write_text(LINES.replace("line 5", "line five"))
    refused("it was made from other lines")
    (tmp_path / "in").write_text("line 1\nline 2\n")
    refused("the input has 2 lines only")
    (tmp_path / "in").write_text(LINES.replace("line 8", "line eight"))
    translate(tmp_path, resume=True)
    assert "LINE EIGHT" in (tmp_path / "out").read_text(), "lines without a record may change"


def test_damage_is_refused(tmp_path: Path) -> None:
    cut_short(tmp_path)
    journal, part = tmp_path / "out.part.json", tmp_path / "out.part"
    good, records = journal.read_text(), part.read_bytes()
    for damage in ("", "[]", "{}", good.replace('"lines": 6', '"lines": -6')):
        journal.write_text(damage)
        with pytest.raises(CheckpointError, match=r"out\.part\.json: .*damaged"):
            translate(tmp_path, resume=True)
    journal.write_text(good)
    part.write_bytes(records[:-1])
    with pytest.raises(CheckpointError, match=r"out\.part: damaged, expected at least"):
        translate(tmp_path, resume=True)


def test_without_resume_it_begins_again_and_says_what_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_short(tmp_path)
    assert translate(tmp_path, beam_size=9).lines == 23
    assert "out.part: discarded, an unfinished output; --resume would" in capsys.readouterr().err
    assert names(tmp_path) == ["in", "out"]
    assert translate(tmp_path, resume=True).lines == 23, "there is nothing to resume"


def test_a_failure_keeps_whole_records_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "JOURNAL_SECONDS", 1e9)
    (tmp_path / "in").write_text(LINES)
    with pytest.raises(Killed):
        translate(tmp_path, killed_at=1)
    assert names(tmp_path) == ["in"]
    with pytest.raises(Killed):
        translate(tmp_path, killed_at=3)
    assert json.loads((tmp_path / "out.part.json").read_text())["lines"] == 6
    assert translate(tmp_path, resume=True).lines == 23


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    cut_short(tmp_path)
    before = (tmp_path / "out.part").read_bytes()
    with (tmp_path / "out.part").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockedError, match=r"out\.part: another process is writing it"):
            translate(tmp_path)
    assert (tmp_path / "out.part").read_bytes() == before
    assert translate(tmp_path, resume=True).lines == 23


def test_a_file_that_was_published_while_it_was_opened_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").write_text(LINES)
    real = outputs._is_locked
    published: list[Path] = []

    def publish_first(file):  # type: ignore[no-untyped-def]
        if not published:
            published.append((tmp_path / "out.part").rename(tmp_path / "other"))
            published[0].write_text("published")
        return real(file)

    monkeypatch.setattr(outputs, "_is_locked", publish_first)
    translate(tmp_path)
    assert (tmp_path / "other").read_text() == "published"
    assert names(tmp_path) == ["in", "other", "out"]


def test_a_device_is_written_to_as_it_is() -> None:
    with open_resumable(Path(os.devnull), Resuming((), {}), QUIET) as out:
        out.write(b"x")
    assert Path(os.devnull).is_char_device()


FEW = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
EXPECTED = FEW.upper().encode()


def through(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `open_resumable` use these files."""
    real = open_resumable.__wrapped__  # type: ignore[attr-defined]
    monkeypatch.setattr(real, "__defaults__", (files,))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lasting", [False, True])
def test_a_fault_at_any_operation_loses_nothing(
    tmp_path: Path, kind: str, lasting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old output or the new is there, whole, and the same command with --resume ends well."""
    folder = tmp_path / "run"

    def begin() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "in").write_text(FEW)
        (folder / "out").write_bytes(b"old")

    def act(files: Files) -> None:
        through(files, monkeypatch)
        translate(folder)

    for finished in each_fault(begin, act, kind, lasting=lasting):
        assert (folder / "out").read_bytes() in ([EXPECTED] if finished else [b"old", EXPECTED])
        through(FILES, monkeypatch)
        translate(folder, resume=True)
        assert (folder / "out").read_bytes() == EXPECTED
        assert names(folder) == ["in", "out"]


def test_a_power_cut_loses_no_output_and_mixes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with other options is cut off, replaced without --resume, and the power fails."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "in").write_text(FEW)
    files = RecordingFiles(disk)
    files.sync(disk / "in")
    files.sync_folder(disk)
    begun = len(files.history)
    through(files, monkeypatch)
    with pytest.raises(Killed):
        translate(disk, moses_record, killed_at=3, other=1)
    monkeypatch.setattr(outputs, "JOURNAL_SECONDS", 1e9)
    translate(disk)
    through(FILES, monkeypatch)
    other, _ = whole(tmp_path / "whole", moses_record, FEW)
    seen: set[str] = set()
    for end in range(begun, len(files.history) + 1):
        for tree in crash_states(files, files.history[:end]):
            is_done = end == len(files.history)
            assert tree.get("out", b"") in ((EXPECTED,) if is_done else (b"", EXPECTED))
            if repr(tree) in seen:
                continue
            seen.add(repr(tree))
            folder, again = (tmp_path / f"{name}{len(seen)}" for name in ("one", "other"))
            write_tree(tree, folder)
            shutil.copytree(folder, again)
            assert resumed(folder) == EXPECTED
            assert resumed(again, moses_record, other=1) == other
    assert len(seen) > 15


def resumed(folder: Path, shape: RecordFormat = plain_record, **options: object) -> bytes:
    """Continue a run; if it was another one, it is refused, and begun again."""
    try:
        translate(folder, shape, resume=True, **options)  # type: ignore[arg-type]
    except ConfigError:
        translate(folder, shape, **options)  # type: ignore[arg-type]
    return (folder / "out").read_bytes()
