"""What preparing makes of files: every row is accounted for, and is in one split at most."""

import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from s2scli.data import pieces, shards
from s2scli.data.accounting import Report, read_report
from s2scli.data.example import Example
from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus
from s2scli.errors import CorpusError, UsageError
from s2scli.manifest import verify_folder
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.workers import THIS_PROCESS, Processes, Workers
from s2scli.report.console import Talk
from s2scli.workspace import Workspace

pytestmark = pytest.mark.usefixtures("quick_fsync")

PAIRS = [(f"source {number}", f"target {number}") for number in range(50)]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w")


def tsv(pairs: list[tuple[str, str]]) -> str:
    return "".join(f"{source}\t{target}\n" for source, target in pairs)


def written(workspace: Workspace, text: str, name: str = "corpus.tsv") -> Path:
    path = workspace.root.with_name(name)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def prepared(workspace: Workspace, *corpus: Path, **settings: object) -> Report:
    chosen = PrepareSettings.model_validate(settings)
    return prepare(workspace, Inputs(corpus), chosen, Talk(quiet=True))


def rows(workspace: Workspace) -> dict[str, list[Example]]:
    corpus = Corpus.load(workspace.corpus)
    return {split: list(corpus.open_split(split)) for split in corpus.splits}


def test_every_row_is_kept_in_one_split_or_dropped_for_one_reason(workspace: Workspace) -> None:
    lines = [f"{source}\t{target}" for source, target in PAIRS]
    bad = ["", "no tab", "\tno source", "no target\t", "long\t" + "x" * 200, lines[3], "\0\tx"]
    text = "\n".join([*lines, *bad])
    report = prepared(workspace, written(workspace, text), skip_bad_lines=True, max_length=100)
    (account,) = report.files
    assert account.dropped == {
        **{"columns": 1, "duplicate": 1, "empty_both": 1, "empty_source": 1, "empty_target": 1},
        **{"nul_byte": 1, "over_long": 1},
    }
    assert account.read == len(lines) + len(bad) == account.kept + sum(account.dropped.values())
    found = [example for examples in rows(workspace).values() for example in examples]
    assert sorted(found, key=lambda example: example.line) == [
        Example(*pair, number) for number, pair in enumerate(PAIRS, 1)
    ]
    assert report.splits.keys() == {"train", "valid", "test"}
    assert sum(split.rows for split in report.splits.values()) == account.kept
    assert read_report(workspace.corpus) == report


@pytest.mark.parametrize("count", range(1, 11))
def test_the_smallest_corpora_go_through(workspace: Workspace, count: int) -> None:
    prepared(workspace, written(workspace, tsv(PAIRS[:count])))
    assert len(rows(workspace)["train"]) == (count if count < 3 else count - 2)


def test_parallel_files_give_the_corpus_of_the_tsv_file(workspace: Workspace) -> None:
    prepared(workspace, written(workspace, tsv(PAIRS)))
    expected = rows(workspace)
    sources = written(workspace, "".join(f"{source}\n" for source, _ in PAIRS), "a.en.gz")
    targets = written(workspace, "".join(f"{target}\n" for _, target in PAIRS), "a.de")
    report = prepared(workspace, sources, targets)
    assert rows(workspace) == expected
    assert report.files[0].names == ("a.en.gz", "a.de")


def test_the_manifest_records_the_settings_and_the_hash_of_every_input(
    workspace: Workspace,
) -> None:
    corpus, test = written(workspace, tsv(PAIRS)), written(workspace, "a\tb\n", "test.tsv")
    settings = PrepareSettings(max_length=40)
    prepare(workspace, Inputs((corpus,), test=(test,)), settings, Talk(quiet=True))
    facts = verify_folder(workspace.corpus, "corpus").facts
    assert facts["max_length"] == 40
    assert facts["inputs"] == {
        role: [hashlib.sha256(path.read_bytes()).hexdigest()]
        for role, path in (("corpus", corpus), ("test", test))
    }


def test_a_corpus_of_pairs_keeps_its_digest(workspace: Workspace) -> None:
    """`one_column` is newer than pairs, whose corpora must not look changed."""
    prepared(workspace, written(workspace, tsv(PAIRS)))
    assert "one_column" not in verify_folder(workspace.corpus, "corpus").facts


def test_notices_come_in_the_order_in_which_things_are_read(workspace: Workspace) -> None:
    own = written(workspace, "source\ttarget\tnote\nsource 1\tx\ty\n", "own.tsv")
    corpus = written(workspace, "source\ttarget\n" + tsv(PAIRS) + ("long\t" + "x" * 99 + "\n") * 9)
    settings = PrepareSettings(max_length=50, test_size=0)
    report = prepare(workspace, Inputs((corpus,), valid=(own,)), settings, Talk(quiet=True))
    beginnings = [
        "own.tsv has 3 columns, of which the first two are used; "
        "to choose others, use for example --columns 2,3",
        "own.tsv, line 1: skipped as a header",
        "corpus.tsv, line 1: skipped as a header",
        "15% of the rows were dropped as over_long; --max-length is 50",
        "1 of 1 valid rows have a source that is also in the train split",
        "there is no test split",
    ]
    assert len(report.notices) == len(beginnings)
    for notice, beginning in zip(report.notices, beginnings, strict=True):
        assert notice.startswith(beginning)


def test_tsv_files_are_read_one_after_the_other(workspace: Workspace) -> None:
    """Rows, duplicates between files, lines and the account of each file."""
    first = written(workspace, "source\ttarget\n" + tsv(PAIRS[:30]), "a.tsv")
    second = written(workspace, tsv(PAIRS[20:]) + "\n", "b.tsv.gz")
    copies = written(workspace, tsv(PAIRS[:3]), "c.tsv")
    report = prepared(workspace, first, second, copies)
    found = [example for examples in rows(workspace).values() for example in examples]
    lines = [*range(2, 32), *range(31 + 11, 31 + 31)]  # those of the files one after the other
    assert sorted(found, key=lambda example: example.line) == [
        Example(*pair, line) for pair, line in zip(PAIRS, lines, strict=True)
    ]
    assert [(account.names, account.read, account.kept) for account in report.files] == [
        (("a.tsv",), 31, 30),
        (("b.tsv.gz",), 31, 20),
        (("c.tsv",), 3, 0),
    ]
    assert [account.dropped for account in report.files] == [
        {"header": 1},
        {"duplicate": 10, "empty_both": 1},
        {"duplicate": 3},
    ]
    assert read_report(workspace.corpus) == report
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second, copies)]
    assert verify_folder(workspace.corpus, "corpus").facts["inputs"] == {"corpus": digests}


def test_tsv_files_of_the_users_own_are_one_split(workspace: Workspace) -> None:
    own = [written(workspace, f"{name}\tx\n", f"{name}.tsv") for name in "ab"]
    inputs = Inputs((written(workspace, tsv(PAIRS)),), valid=tuple(own))
    prepare(workspace, inputs, PrepareSettings(), Talk(quiet=True))
    assert rows(workspace)["valid"] == [Example("a", "x", 1), Example("b", "x", 2)]


def test_columns_are_chosen_and_sides_exchanged(workspace: Workspace) -> None:
    prepared(workspace, written(workspace, tsv(PAIRS)))
    expected = [(row.source, row.target) for row in rows(workspace)["train"]]
    wide = "id\tEnglish\tGerman\n" + "".join(
        f"{number}\t{target}\t{source}\n" for number, (source, target) in enumerate(PAIRS)
    )
    path = written(workspace, wide, "wide.tsv")
    for settings in ({"columns": "3,2"}, {"columns": "2,3", "swap": True}):
        report = prepared(workspace, path, **settings)
        assert [(row.source, row.target) for row in rows(workspace)["train"]] == expected
        assert report.files[0].dropped == {"header": 1}
        facts = verify_folder(workspace.corpus, "corpus").facts
        assert settings.items() <= facts.items()


def test_sides_of_parallel_files_are_exchanged(workspace: Workspace) -> None:
    sources = written(workspace, "".join(f"{source}\n" for source, _ in PAIRS), "a.en")
    targets = written(workspace, "".join(f"{target}\n" for _, target in PAIRS), "a.de")
    prepared(workspace, sources, targets)
    expected = rows(workspace)
    prepared(workspace, targets, sources, swap=True)
    assert rows(workspace) == expected


@pytest.mark.parametrize(("header", "count"), [(None, 50), (True, 49), (False, 50)])
def test_a_header_is_what_the_user_says(
    workspace: Workspace, header: bool | None, count: int
) -> None:
    report = prepared(workspace, written(workspace, tsv(PAIRS)), header=header)
    assert report.files[0].kept == count
    assert ("header" in verify_folder(workspace.corpus, "corpus").facts) is (header is not None)


def test_files_of_the_users_own_keep_their_rows(workspace: Workspace) -> None:
    long = "y" * 6000
    own = written(workspace, f"source 1\tx\nsource 1\tx\n\tempty\nnew\t{long}\n", "own.tsv")
    inputs = Inputs((written(workspace, tsv(PAIRS)),), test=(own,))
    report = prepare(workspace, inputs, PrepareSettings(), Talk(quiet=True))
    assert [row.line for row in rows(workspace)["test"]] == [1, 2, 4]
    assert report.splits["test"].source_in_train == 2
    assert report.files[1].dropped == {"empty_source": 1}


def test_sides_whose_lengths_are_unrelated_are_noticed(workspace: Workspace) -> None:
    def with_targets(lengths: Iterable[int]) -> Report:
        pairs = zip(range(3, 753), lengths, strict=True)
        text = tsv([(f"{number}" + "a" * (number % 47), "b" * size) for number, size in pairs])
        return prepared(workspace, written(workspace, text))

    aligned = with_targets(3 + number % 47 for number in range(3, 753))
    crossed = with_targets(50 - number % 47 for number in range(3, 753))
    short = tsv([("a" * (n % 7 + 1) + f"{n}", "b" * (n % 5 + 1)) for n in range(100, 200)])
    few = prepared(workspace, written(workspace, short))
    assert any("lengths of sources and targets do not correlate" in text for text in few.notices)
    assert not any("check that the two sides are aligned" in notice for notice in aligned.notices)
    assert any("check that the two sides are aligned" in notice for notice in crossed.notices)


@pytest.mark.parametrize(
    ("name", "settings", "one_column"),
    [
        ("s.txt", {}, True),
        ("s.txt.gz", {}, True),
        ("s.tsv", {"one_column": True}, True),
        ("s.txt", {"skip_bad_lines": True}, False),
        ("s.tsv", {}, False),
    ],
)
def test_a_text_file_without_a_tab_holds_sentences(
    workspace: Workspace, name: str, settings: dict[str, bool], one_column: bool
) -> None:
    path = written(workspace, "".join(f"{source}\n" for source, _ in PAIRS), name)
    if not one_column:
        with pytest.raises(CorpusError, match=r"no TAB|no usable row"):
            prepared(workspace, path, **settings)
        return
    prepared(workspace, path, **settings)
    assert all(row.source == row.target for part in rows(workspace).values() for row in part)
    assert verify_folder(workspace.corpus, "corpus").facts["one_column"] is True


def test_a_corpus_that_cannot_be_made_leaves_the_old_one(workspace: Workspace) -> None:
    prepared(workspace, written(workspace, tsv(PAIRS)))
    before = verify_folder(workspace.corpus, "corpus")
    with pytest.raises(CorpusError, match=r"corpus.tsv, line 2: no TAB.* use --skip-bad-lines"):
        prepared(workspace, written(workspace, "a\tb\nc\n"))
    assert verify_folder(workspace.corpus, "corpus") == before
    assert [path.name for path in workspace.root.iterdir() if path.name.startswith(".tmp")] == []


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (Inputs((Path("-"),), test=(Path("-"),)), "- is given twice"),
        (Inputs((Path("a"),), valid=(Path("b"),)), "give either --valid or --valid-size, not both"),
    ],
)
def test_inputs_that_do_not_go_together_are_refused_unread(
    workspace: Workspace, inputs: Inputs, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        prepare(workspace, inputs, PrepareSettings(valid_size=1), Talk(quiet=True))
    assert not workspace.root.exists()


TEXT = "".join(
    f"source {n} of some words\ttarget {n * 7 % 500} of words\n" if n % 9 else f"only {n}\t\n"
    for n in range(3000)
)
SETTINGS = PrepareSettings(near_duplicates=0.9, unescape_html=True)


def corpus_bytes(
    workspace: Workspace, *paths: Path, workers: Workers = THIS_PROCESS
) -> list[bytes]:
    """Prepare a corpus, and return the content of its files but the report."""
    inputs = Inputs(paths, tags=("de", "fr")[: len(paths)])
    prepare(workspace, inputs, SETTINGS, Talk(quiet=True), workers=workers)
    assert not workspace.shards.exists()
    return [path.read_bytes() for path in sorted(workspace.corpus.glob("*.arrow"))]


def report_of(workspace: Workspace) -> object:
    """Return the report without the names and hashes of the files."""
    report = read_report(workspace.corpus)
    files = [replace(one, names=(), sha256=()) for one in report.files]
    return replace(report, files=tuple(files))


@pytest.mark.gate
def test_processes_and_compression_make_no_difference(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 9000)
    two = written(workspace, TEXT), written(workspace, TEXT[:20_000], "b.tsv")
    expected = corpus_bytes(workspace, *two)
    report = report_of(workspace)
    assert corpus_bytes(workspace, *two, workers=Processes(2)) == expected
    assert report_of(workspace) == report
    packed = written(workspace, TEXT, "corpus.tsv.gz"), two[1]
    assert corpus_bytes(workspace, *packed, workers=Processes(2)) == expected
    assert report_of(workspace) == report


@pytest.mark.parametrize("size", [2000, 9000])
def test_rows_and_counts_do_not_depend_on_the_size_of_shards(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = written(workspace, TEXT)
    corpus_bytes(workspace, path)
    expected, report = rows(workspace), report_of(workspace)
    monkeypatch.setattr(pieces, "PIECE_BYTES", size)
    corpus_bytes(workspace, path)
    assert rows(workspace) == expected
    assert report_of(workspace) == report


def test_a_killed_run_goes_on_with_the_shards_that_are_finished(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 2000)
    path = written(workspace, TEXT)
    expected = corpus_bytes(workspace, path)
    program = f"""
from tests.pipeline.test_prepare import *
if __name__ == "__main__":
    pieces.PIECE_BYTES = 2000
    workspace = Workspace(Path({str(workspace.root)!r}))
    corpus_bytes(workspace, Path({str(path)!r}), workers=Processes(2))
"""
    script = workspace.root.with_name("script.py")
    script.write_text(program)
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, str(script)], env=paths) as run:
        while len(finished := list(workspace.shards.glob("*.json"))) < 3:
            assert run.poll() is None
        run.kill()
    done, write = list[str](), shards._write

    def note(shard: shards.Shard, to: Path) -> shards.CleanedShard:
        done.append(f"{shard.digest}.json")
        return write(shard, to)

    monkeypatch.setattr(shards, "_write", note)
    assert corpus_bytes(workspace, path) == expected
    assert done
    assert not {one.name for one in finished} & set(done)


def test_formats_whose_lines_are_no_rows_are_read_here(workspace: Workspace) -> None:
    table = "source,target\n" + "".join(f'"{a}\nb","{b}"\n' for a, b in PAIRS)
    path = written(workspace, table, "corpus.csv")
    assert corpus_bytes(workspace, path, workers=Processes(2)) == corpus_bytes(workspace, path)
