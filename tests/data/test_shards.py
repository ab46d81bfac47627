"""Shards are laws about `divide` and `clean_shard`: many shards give what one gives."""

import contextlib
import gzip
import itertools
import json
import pickle
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from s2scli.data import pieces
from s2scli.data.accounting import RowTally
from s2scli.data.cleaning.own import load_rules
from s2scli.data.cleaning.pairs import Pairs
from s2scli.data.cleaning.rules import corpus_cleaner
from s2scli.data.cleaning.shifts import find_shifts
from s2scli.data.example import Example
from s2scli.data.formats.grouping import group_inputs
from s2scli.data.lines import line_limit, open_text
from s2scli.data.settings import PrepareSettings
from s2scli.data.shards import CleanedShard, Cleaning, Shard, clean_shard, divide, read_rows
from s2scli.errors import CorpusError

pytestmark = pytest.mark.usefixtures("quick_fsync")

PAIRS = [(f"source {n} of some words", f"target {n * 7} of words") for n in range(300)]
TSV = "".join(f"{source}\t{target}\textra {n}\n" for n, (source, target) in enumerate(PAIRS))
BAD = {
    3: "no tab",
    50: "",
    51: "\t\t",
    120: "x\ty",
    200: "\0\ta\tb",
    299: "a\t" + "b" * 300 + "\tc",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shards").mkdir()
    return tmp_path / "shards"


def cleaned(
    paths: list[Path], folder: Path, settings: PrepareSettings, tag: str = "", offset: int = 0
) -> list[CleanedShard]:
    return [clean_shard(shard) for shard in shards(paths, folder, settings, tag, offset)]


def shards(
    paths: list[Path], folder: Path, settings: PrepareSettings, tag: str = "", offset: int = 0
) -> Iterator[Shard]:
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open_text(path)) for path in paths]
        (one,) = group_inputs(files, "corpus", settings)
        yield from divide(Cleaning.of(settings, one, tag), one, offset, folder)


def rows_of(folder: Path, found: list[CleanedShard]) -> list[tuple[str, str, int]]:
    rows = []
    for one in found:
        with pa.OSFile(str(folder / one.name)) as file:
            table = pa.ipc.open_file(file).read_all().to_pylist()
        rows += [(row["source"], row["target"], row["line"]) for row in table]
    return rows


def expected_rows(
    paths: list[Path], settings: PrepareSettings
) -> tuple[list[tuple[str, str, int]], RowTally]:
    """Return the rows of a file that is read as a whole, without shards, and their tally."""
    tally = RowTally()
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open_text(path)) for path in paths]
        (one,) = group_inputs(files, "corpus", settings)
        read = one.format.read(one.files, line_limit(settings.max_length))
        rows = read_rows(Cleaning.of(settings, one), read)
        kept = tally.keep(corpus_cleaner(settings, files[0].short_name).rows(rows))
        return [(row.source, row.target, row.line) for row in kept], tally


def corpus_in(folder: Path, kind: str) -> list[Path]:
    """Write the pairs in a format, with bad lines among them, and return the files."""
    if kind == "parallel":
        for side, name in enumerate(("a.en", "a.de")):
            (folder / name).write_text("".join(f"{pair[side]}\n" for pair in PAIRS))
        return [folder / "a.en", folder / "a.de"]
    if kind == "jsonl":
        lines = [json.dumps({"id": 1, "src": source, "tgt": target}) for source, target in PAIRS]
        text = "\n".join(["", *lines[:90], "{", *lines[90:]])
        (folder / "a.jsonl").write_text(text)
        return [folder / "a.jsonl"]
    if kind == "sentences":
        (folder / "a.txt").write_text("".join(f"{source}\n\n" for source, _ in PAIRS))
        return [folder / "a.txt"]
    lines = [BAD.get(number, line) for number, line in enumerate(TSV.splitlines())]
    text = "\n".join(["", "source\ttarget\tnote", *lines])
    if kind == "gzip":
        (folder / "a.tsv.gz").write_bytes(gzip.compress(text.encode()))
        return [folder / "a.tsv.gz"]
    (folder / "a.tsv").write_text(text)
    return [folder / "a.tsv"]


@pytest.mark.parametrize("size", [1, 500, 3000, 10_000_000])
@pytest.mark.parametrize("kind", ["tsv", "gzip", "jsonl", "sentences", "parallel"])
def test_shards_of_any_size_give_the_rows_and_counts_of_the_whole_file(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, size: int
) -> None:
    paths = corpus_in(tmp_path, kind)
    settings = PrepareSettings(
        skip_bad_lines=True,
        max_length=100,
        one_column=kind == "sentences",
        max_other_script=0.5,
        unescape_html=True,
    )
    rows, tally = expected_rows(paths, settings)
    monkeypatch.setattr(pieces, "PIECE_BYTES", size)
    found = cleaned(paths, folder, settings)
    assert len(found) == 1 if size > 100_000 else len(found) > 1
    assert rows_of(folder, found) == rows
    together = RowTally()
    for one in found:
        together.add(one.tally)
    assert together == tally


def test_lines_are_counted_after_those_of_other_files(tmp_path: Path, folder: Path) -> None:
    paths, settings = corpus_in(tmp_path, "jsonl"), PrepareSettings(skip_bad_lines=True)
    rows = rows_of(folder, cleaned(paths, folder, settings))
    later = rows_of(folder, cleaned(paths, folder, settings, offset=1000))
    assert later == [(source, target, line + 1000) for source, target, line in rows]


@pytest.mark.parametrize("size", [500, 10_000_000])
def test_an_error_names_the_line_of_the_file(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    lines = TSV.splitlines()
    lines[250] = "no tab"
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    monkeypatch.setattr(pieces, "PIECE_BYTES", size)
    with pytest.raises(CorpusError, match=r"a\.tsv, line 251: no TAB"):
        cleaned([tmp_path / "a.tsv"], folder, PrepareSettings())


def test_the_number_of_columns_is_that_of_the_first_row(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 500)
    text = TSV + "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    (tmp_path / "a.tsv").write_text(f"\n{text}")
    with pytest.raises(CorpusError, match="line 302: 2 columns, but line 2 has 3"):
        cleaned([tmp_path / "a.tsv"], folder, PrepareSettings())


def test_sides_that_are_shifted_are_found_in_later_shards_too(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = random.Random(1)
    texts = [("ab " * words.randint(1, 40)).strip() for _ in range(400)]
    shifted = [(source, target) for target, source in itertools.pairwise(texts)]
    pairs = [*((text, text) for text in texts[:200]), *shifted]
    lines = [f"{source}\t{target.replace('ab', 'cd')}\n" for source, target in pairs]
    (tmp_path / "a.tsv").write_text("".join(lines))
    monkeypatch.setattr(pieces, "PIECE_BYTES", len("".join(lines[:200])))
    found = cleaned([tmp_path / "a.tsv"], folder, PrepareSettings())
    assert [one.shifts for one in found[:1]] == [[]]
    cells = [line.strip().split("\t") for line in lines[200:][: found[1].tally.read]]
    expected = find_shifts(Pairs.of(*map(list, zip(*cells, strict=True))))
    assert expected
    assert found[1].shifts == [(one.start + 201, one.end + 200, one.offset) for one in expected]


def test_tags_are_those_of_the_rows_that_are_kept(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\tde\nc\t\tfr\n")
    settings = PrepareSettings(tag_column=3, columns="1,2")
    (found,) = cleaned([tmp_path / "a.tsv"], folder, settings)
    assert found.tags == ["de"]
    assert rows_of(folder, [found]) == [("<2de> a", "b", 1)]


def test_a_finished_shard_is_not_cleaned_again_and_a_damaged_one_is(
    tmp_path: Path, folder: Path
) -> None:
    paths = corpus_in(tmp_path, "jsonl")
    settings = PrepareSettings(skip_bad_lines=True)
    (shard,) = shards(paths, folder, settings)
    first = clean_shard(shard)
    path = folder / first.name
    before = path.stat().st_mtime_ns
    assert clean_shard(shard) == first
    assert path.stat().st_mtime_ns == before
    good = path.read_bytes()
    for damage in (good[:100], b"", good.replace(b"source 7", b"source 8")):
        path.write_bytes(damage)
        assert clean_shard(shard) == first
        assert path.read_bytes() == good
    (folder / f"{shard.digest}.json").write_text('{"name": "../x"}')
    assert clean_shard(shard) == first


def test_the_digest_is_that_of_everything_the_rows_depend_on(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "list").write_text("a word\n")
    settings = PrepareSettings(redact_list=str(tmp_path / "list"))
    paths = corpus_in(tmp_path, "parallel")
    (shard,) = shards(paths, folder, settings)
    others = [
        replace(shard, before=1),
        replace(shard, offset=1),
        replace(shard, context=replace(shard.context, source_script="Latin")),
        replace(shard, pieces=shard.pieces[::-1]),
        replace(shard, cleaning=replace(shard.cleaning, tag="de")),
        replace(shard, cleaning=replace(shard.cleaning, version="9")),
        replace(shard, cleaning=replace(shard.cleaning, settings=PrepareSettings(max_length=9))),
    ]
    (tmp_path / "list").write_text("another word\n")
    others += shards(paths, folder, settings)
    digests = {one.digest for one in [shard, *others]}
    assert len(digests) == len(others) + 1
    with pytest.raises(CorpusError, match="list: has changed since it was opened"):
        clean_shard(shard)


@pytest.mark.parametrize("kind", ["tsv", "jsonl", "sentences", "parallel"])
def test_another_process_gives_a_shard_the_same_digest(
    tmp_path: Path, folder: Path, kind: str
) -> None:
    settings = PrepareSettings(one_column=kind == "sentences")
    (shard,) = shards(corpus_in(tmp_path, kind), folder, settings)
    there = pickle.loads(pickle.dumps(shard))
    assert there.cleaning.format is not shard.cleaning.format
    assert there.digest == shard.digest


def test_rules_of_the_users_own_run_and_must_not_change(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "r.toml").write_text('[rules.short]\npython = "r.py:judge"\n')
    (tmp_path / "r.py").write_text("def judge(source, target):\n    return source == 'b'\n")
    (tmp_path / "a.tsv").write_text("a\tb\nb\tc\n")
    settings = PrepareSettings(rules=str(tmp_path / "r.toml"))
    with open_text(tmp_path / "a.tsv") as file:
        (one,) = group_inputs([file], "corpus", settings)
        own = {name: rule.sha256 for name, rule in load_rules(str(settings.rules)).items()}
        (shard,) = divide(Cleaning.of(settings, one, own=own), one, 0, folder)
    found = clean_shard(shard)
    assert rows_of(folder, [found]) == [("a", "b", 1)]
    assert found.tally.dropped == {"short": 1}
    (tmp_path / "r.py").write_text("def judge(source, target):\n    return False\n")
    (folder / f"{shard.digest}.json").unlink()
    with pytest.raises(CorpusError, match=r"r\.toml: has changed since it was opened"):
        clean_shard(shard)


def test_what_no_other_process_can_read_is_not_divided(tmp_path: Path) -> None:
    paths = corpus_in(tmp_path, "jsonl")
    with open_text(paths[0]) as file:
        (one,) = group_inputs([file], "corpus", PrepareSettings())
        assert Cleaning.of(PrepareSettings(), one).is_divisible
        assert not Cleaning.of(PrepareSettings(history=2), one).is_divisible
        assert not Cleaning.of(PrepareSettings(redact_list="/dev/null"), one).is_divisible


def test_an_empty_file_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "a.tsv").write_text("")
    with pytest.raises(CorpusError, match=r"a\.tsv: the file is empty"):
        cleaned([tmp_path / "a.tsv"], folder, PrepareSettings(input_format="tsv"))


@pytest.mark.parametrize("size", [1, 3, 100])
def test_blank_and_bad_first_lines_are_part_of_the_head(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", size)
    text = "\n\nno tab\n" + "a\tb\tc\n" * 100
    (tmp_path / "a.tsv").write_text(text)
    found = list(shards([tmp_path / "a.tsv"], folder, PrepareSettings(skip_bad_lines=True)))
    assert {one.skipped for one in found[4:]} == {4}
    assert {piece.head.split(b"\n")[3] for one in found[4:] for piece in one.pieces} == {b"a\tb\tc"}
    rows = rows_of(folder, [clean_shard(one) for one in found])
    assert [line for *_, line in rows] == [
        example.line for example in (Example("a", "b", line) for line in range(4, 104))
    ]
