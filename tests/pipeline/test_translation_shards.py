"""Shards of lines give the records of all lines, in order, whoever translates them."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.errors import StorageError
from s2scli.pipeline import cluster, translation_shards
from s2scli.pipeline.translate import TranslateRequest
from s2scli.pipeline.workers import THIS_PROCESS
from s2scli.translation.translator import Translator
from tests.folders import letters_of, write_model
from tests.translation import stub

Run = Callable[..., Result]

ADDRESS = "tcp://127.0.0.1:8786"
TEXT = "".join(f"line number {number}\n" for number in range(20)) + "\nboom\n\nlast" + " word" * 9


@pytest.fixture
def translate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return `s2s translate` of the text into the file out, by a cluster that is this process."""
    monkeypatch.setitem(sys.modules, stub.MODULE, stub.stub_module())
    monkeypatch.setattr(translation_shards, "SHARD_LINES", 3)
    monkeypatch.setattr(cluster, "Cluster", lambda address, folder: THIS_PROCESS)
    translation_shards._load.cache_clear()
    (tmp_path / "in").write_text(TEXT)
    write_model(tmp_path / "model", letters_of(["a b"]))

    def run(*options: str, out: str = "out") -> Result:
        words = ["translate", "-m", str(tmp_path / "model"), str(tmp_path / "in"), *options]
        return CliRunner().invoke(app, [*words, "-o", str(tmp_path / out)])

    return run


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--json",),
        ("--nbest", "2"),
        ("--scores",),
        ("--overlong", "truncate"),
        ("--unit", "document"),
    ],
    ids=str,
)
def test_the_records_are_those_of_one_machine(
    translate: Run, tmp_path: Path, options: tuple[str, ...]
) -> None:
    alone = translate(*options, out="alone")
    together = translate(*options, "--dask", ADDRESS)
    assert together.exit_code == alone.exit_code == 3  # for the line with boom
    assert (tmp_path / "out").read_bytes() == (tmp_path / "alone").read_bytes()
    assert together.stderr == alone.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        *("alone", "in", "out")
    ]
    assert not (tmp_path / "out.shards").exists()


def test_a_run_that_is_stopped_goes_on_with_the_shards_that_are_finished(
    translate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert translate(out="alone").exit_code == 3
    work, done = translation_shards._write, list[int]()

    def stop_at(shard: translation_shards.TranslationShard, path: Path) -> object:
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(shard.first)
        return work(shard, path)

    monkeypatch.setattr(translation_shards, "_write", stop_at)
    assert translate("--dask", ADDRESS).exit_code == 130
    assert not (tmp_path / "out").exists()
    assert done == [0, 3, 6, 9]
    finished = sorted((tmp_path / "out.shards").glob("*.txt"))
    assert len(finished) == 4
    finished[0].write_text("damaged\n")
    done.clear()

    def note(shard: translation_shards.TranslationShard, path: Path) -> object:
        done.append(shard.first)
        return work(shard, path)

    monkeypatch.setattr(translation_shards, "_write", note)
    assert translate("--dask", ADDRESS).exit_code == 3
    assert len(done) == 8 - 3
    assert (tmp_path / "out").read_bytes() == (tmp_path / "alone").read_bytes()


@pytest.mark.parametrize(
    "options", [("--beam-size", "2"), ("--overlong", "empty"), ("--scores",)], ids=str
)
def test_shards_made_with_other_options_are_not_used(
    translate: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    used, copy = list[str](), translation_shards._copy

    def note(path: Path, sha256: str, write: Callable[[bytes], object]) -> None:
        used.append(path.name)
        copy(path, sha256, write)

    monkeypatch.setattr(translation_shards, "_copy", note)
    for given in ((), options):
        assert translate(*given, "--dask", ADDRESS).exit_code == 3
    assert len(set(used)) == 16


def test_a_shard_with_too_few_records_is_noticed(
    translate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = translation_shards._write

    def lose(shard: translation_shards.TranslationShard, path: Path) -> object:
        tally, faults = work(shard, path)
        tally.lines -= shard.first == 6
        return tally, faults

    monkeypatch.setattr(translation_shards, "_write", lose)
    result = translate("--dask", ADDRESS)
    assert result.exit_code == 74
    assert "2 records for 3 lines" in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_records_that_changed_on_the_disk_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    with pytest.raises(StorageError, match=r"a\.txt: damaged; rerun the same command"):
        translation_shards._copy(tmp_path / "a.txt", "0" * 64, lambda data: None)


def test_a_refused_line_ends_the_run_as_on_one_machine(translate: Run, tmp_path: Path) -> None:
    alone = translate("--overlong", "error", out="alone")
    together = translate("--overlong", "error", "--dask", ADDRESS)
    assert together.exit_code == alone.exit_code == 65
    assert together.stderr.splitlines()[-1] == alone.stderr.splitlines()[-1]
    assert not (tmp_path / "out.shards").exists()


def test_a_worker_with_another_model_is_refused(
    translate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = translation_shards.Order.for_request

    def other(
        self: translation_shards.Order, translator: Translator, request: TranslateRequest
    ) -> translation_shards.Order:
        return replace(complete(self, translator, request), identity=("another",))

    monkeypatch.setattr(translation_shards.Order, "for_request", other)
    result = translate("--dask", ADDRESS)
    assert result.exit_code == 65
    assert "a worker has another model" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--history", "2"), "--dask translates lines of text: leave --history out"),
        (("--files",), "--dask translates lines of text: leave --files out"),
        (("--format", "srt"), "--dask translates lines of text: leave --format srt out"),
    ],
    ids=str,
)
def test_what_cannot_be_divided_is_refused(
    translate: Run, options: tuple[str, ...], message: str
) -> None:
    result = translate(*options, "--dask", ADDRESS)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_it_needs_a_file_to_write(translate: Run, tmp_path: Path) -> None:
    words = ["translate", "-m", str(tmp_path / "model"), str(tmp_path / "in"), "--dask", ADDRESS]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "--dask writes a file: add -o FILE" in " ".join(result.stderr.split())


def test_lines_of_records_are_numbered_across_shards(translate: Run, tmp_path: Path) -> None:
    translate("--json", "--dask", ADDRESS)
    documents = map(json.loads, (tmp_path / "out").read_text().splitlines())
    assert [document["line"] for document in documents] == list(range(1, 25))
