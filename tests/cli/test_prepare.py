import gzip
import itertools
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.cli.prepare import RECIPES
from s2scli.data.example import Example
from s2scli.data.store import Corpus
from s2scli.manifest import verify_folder
from s2scli.recipes import recipe_names
from s2scli.workspace import Workspace

CORPUS = "".join(f"source {n}\ttarget {n}\n" for n in range(50))

SENTENCES = "".join(f"sentence {n}\n" for n in range(50))


def run(folder: Path, *arguments: str, text: str | bytes = "") -> Result:
    arguments = ("prepare", *arguments, "-w", str(folder / "w"))
    return CliRunner().invoke(app, arguments, input=text)


def written(folder: Path, text: str, name: str = "corpus.tsv") -> str:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


def report(folder: Path) -> Any:
    return json.loads((folder / "w" / "corpus" / "report.json").read_text())


def rows(folder: Path, split: str) -> list[Example]:
    return list(Corpus.load(folder / "w" / "corpus").open_split(split))


def test_a_corpus_is_prepared_and_every_row_shown(tmp_path: Path) -> None:
    result = run(tmp_path, written(tmp_path, CORPUS + "source 7\ttarget 7\n\n"))
    assert result.exit_code == 0
    first = r"source: source (\d+)\ntarget: target \1\n"
    assert re.fullmatch(first + r"next: s2s train -w \S+\n", result.stderr)
    cells = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.split("\n")]
    for cell in (["read", "52"], ["- duplicate", "1"], ["- empty both", "1"], ["= kept", "50"]):
        assert cell in cells
    assert ["rows", "40", "5", "5"] in cells
    verify_folder(tmp_path / "w" / "corpus", "corpus")
    assert sorted(path.name for path in (tmp_path / "w" / "corpus").iterdir()) == [
        *("manifest.json", "report.json", "test.arrow", "train.arrow", "valid.arrow")
    ]


def test_several_files_are_one_corpus_and_each_is_accounted_for(tmp_path: Path) -> None:
    files = [written(tmp_path, f"a {n}\tb {n}\nc {n}\td {n}\n", f"{n}.tsv") for n in range(10)]
    result = run(tmp_path, *files)
    assert result.exit_code == 0, result.output
    assert "several corpora are read one after the other\n" in result.stderr
    cells = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.split("\n")]
    for cell in (["read", "20"], ["corpus", "10 files"], ["3.tsv", "2", "0", "2"]):
        assert cell in cells
    assert [account["names"] for account in report(tmp_path)["files"]] == [
        [f"{n}.tsv"] for n in range(10)
    ]
    shown = CliRunner().invoke(app, ["inspect", "corpus", "-w", str(tmp_path / "w")]).stdout
    assert "3.tsv" in shown


def test_the_first_pair_shows_what_is_the_source(tmp_path: Path) -> None:
    wide = "".join(f"{n}\ten {n}\tde {n} {'x' * 300}\n" for n in range(50))
    result = run(tmp_path, written(tmp_path, "id\tEnglish\tGerman\n" + wide))
    assert re.search(r"^source: \d+\ntarget: en \d+$", result.stderr, re.MULTILINE)
    assert "corpus.tsv, line 1: skipped as a header; --no-header keeps it" in result.stderr
    assert "has 3 columns, of which the first two are used" in result.stderr
    assert "to choose others, use for example --columns 2,3" in result.stderr
    result = run(tmp_path, written(tmp_path, wide), "--columns", "2,3", "--max-length-ratio", "99")
    assert re.match(r"source: en \d+\ntarget: de \d+ x+…\n", result.stderr)
    assert max(map(len, result.stderr.splitlines())) < 250


def test_json_is_the_report(tmp_path: Path) -> None:
    result = run(tmp_path, written(tmp_path, CORPUS), "--json")
    assert json.loads(result.stdout) == report(tmp_path)
    assert {name: split["rows"] for name, split in report(tmp_path)["splits"].items()} == {
        "train": 40,
        "valid": 5,
        "test": 5,
    }


def test_quiet_says_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, written(tmp_path, CORPUS), "-q").output == ""
    result = run(tmp_path, written(tmp_path, CORPUS), "-q", "--json")
    assert json.loads(result.stdout) == report(tmp_path)


@pytest.mark.parametrize("width", ["50", "80"])
def test_names_of_files_are_never_cut(
    tmp_path: Path, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"test_2016_flickr_{'and_more_' * 8}.{side}" for side in ("en", "de")]
    own = [word for name in names for word in ("--test", written(tmp_path, SENTENCES, name))]
    monkeypatch.setenv("COLUMNS", width)
    shown = run(tmp_path, written(tmp_path, CORPUS), *own).stdout
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= int(width)
    assert " + ".join(names).replace(" ", "") in re.sub(r"\s", "", shown)


@pytest.mark.parametrize("data", [CORPUS.encode(), gzip.compress(CORPUS.encode(), mtime=0)])
def test_a_dash_is_stdin_plain_or_gzip(tmp_path: Path, data: bytes) -> None:
    assert run(tmp_path, "-", text=data).exit_code == 0
    assert report(tmp_path)["files"][0]["read"] == 50


def test_files_of_the_users_own_keep_their_rows_and_overlap_is_told(tmp_path: Path) -> None:
    own = "source 1\tx\nsource 1\tx\n\tempty\n" + "new\t" + "y" * 6000 + "\n"
    own_source, own_target = written(tmp_path, "new\n", "v.s"), written(tmp_path, "n\n", "v.t")
    result = run(
        tmp_path,
        written(tmp_path, CORPUS),
        *("--test", written(tmp_path, own, "test.tsv")),
        *("--valid", own_source, "--valid", own_target),
    )
    assert result.exit_code == 0
    assert "2 of 3 test rows have a source that is also in the train split" in result.stderr
    assert [row.line for row in rows(tmp_path, "test")] == [1, 2, 4]
    assert rows(tmp_path, "valid") == [Example("new", "n", 1)]
    assert len(rows(tmp_path, "train")) == 50
    assert report(tmp_path)["splits"]["test"]["source_in_train"] == 2
    assert report(tmp_path)["splits"]["valid"]["source_in_train"] == 0
    assert [account["dropped"] for account in report(tmp_path)["files"]] == [
        {},
        {},
        {"empty_source": 1},
    ]


def test_sizes_are_what_was_asked_for(tmp_path: Path) -> None:
    result = run(tmp_path, written(tmp_path, CORPUS), "--valid-size", "7", "--test-size", "0")
    assert result.exit_code == 0
    assert "there is no test split" in result.stderr
    assert (len(rows(tmp_path, "train")), len(rows(tmp_path, "valid"))) == (43, 7)
    assert not (tmp_path / "w" / "corpus" / "test.arrow").exists()


@pytest.mark.parametrize(
    ("name", "text", "flags"),
    [
        ("s.txt", SENTENCES, ()),
        ("s.txt.gz", "\n  \n" + SENTENCES, ()),
        ("s.tsv", SENTENCES, ("--one-column",)),
        ("s.txt", SENTENCES + "a\tb\n", ("--one-column", "--skip-bad-lines")),
    ],
)
def test_sentences_are_their_own_targets(
    tmp_path: Path, name: str, text: str, flags: tuple[str, ...]
) -> None:
    own = written(tmp_path, "sentence 1\nnew\n", "own.txt")
    result = run(tmp_path, written(tmp_path, text, name), *flags, "--valid", own)
    assert result.exit_code == 0, result.output
    assert f"{name}: each line is its own source and target\n" in result.stderr
    kept = [row for split in ("train", "test") for row in rows(tmp_path, split)]
    assert sorted(row.source for row in kept) == sorted(SENTENCES.splitlines())
    assert all(row.source == row.target for row in kept)
    assert [row.target for row in rows(tmp_path, "valid")] == ["sentence 1", "new"]
    manifest = verify_folder(tmp_path / "w" / "corpus", "corpus")
    assert manifest.facts["one_column"] is True


@pytest.mark.parametrize("text", [CORPUS, "\ttarget\n" + CORPUS, "\n\r\n" + CORPUS])
def test_a_text_file_of_pairs_is_one_of_pairs(tmp_path: Path, text: str) -> None:
    result = run(tmp_path, written(tmp_path, text, "pairs.txt"))
    assert result.exit_code == 0
    assert "its own" not in result.stderr
    assert rows(tmp_path, "train")[0].target.startswith("target")


def test_limits_and_normalisation_are_flags(tmp_path: Path) -> None:
    text = "abc\tabcd\nabc\tabcde\na\tabcd\ne\u0301\té\n\u00e9\te\u0301\n"
    result = run(
        tmp_path,
        written(tmp_path, text),
        *("--max-length", "4", "--max-length-ratio", "3", "--normalization", "nfc"),
    )
    assert report(tmp_path)["files"][0]["dropped"] == {
        "duplicate": 1,
        "length_ratio": 1,
        "over_long": 1,
    }
    assert "20% of the rows were dropped as over_long; --max-length is 4" in result.stderr
    manifest = verify_folder(tmp_path / "w" / "corpus", "corpus")
    assert manifest.facts["normalization"] == "nfc"
    assert manifest.facts["max_length"] == 4


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["{corpus}", "--normalization", "nfd"], 2, "--normalization: input should be 'none'"),
        (["{corpus}", "--max-length", "0"], 2, "--max-length: input should be greater"),
        (["{corpus}", "--valid-size", "5", "--valid", "{corpus}"], 2, "give either --valid or"),
        (["{sentences}"] * 3, 2, "3 files for corpus, without TABs in most lines"),
        (["{corpus}", *["--test", "{sentences}"] * 3], 2, "3 files for test, without TABs in most"),
        (["{corpus}", "--columns", "2"], 2, "--columns: expected two numbers such as 2,3"),
        (
            ["{corpus}", "--columns", "1,3"],
            65,
            "2 columns, but --columns asks for column 3",
        ),
        (["{sentences}", "{one}", "--columns", "1,2"], 2, "--columns works only with TSV files"),
        (["{sentences}", "--columns", "1,2"], 2, "--columns needs two columns"),
        (["{sentences}", "--swap"], 2, "--swap needs two columns"),
        (["{csv}"], 65, "c.csv, line 1: name the fields with --source-field"),
        (["{csv}", "{csv}"], 65, "c.csv, line 1: name the fields with --source-field"),
        (["{corpus}", "--test", "{csv}"], 65, "c.csv, line 1: name the fields with --source-field"),
        (["{csv}", "--skip-bad-lines"], 65, "c.csv, line 1: name the fields with --source-field"),
        (["-", "--test", "-"], 2, "- is given twice"),
        (["{corpus}", "--test-size", "50"], 65, "no rows would be left for training"),
        (["{corpus}", "--test", "{empty}"], 65, "empty.tsv: no usable rows: 1 read"),
        (["{empty}"], 65, "empty.tsv: no usable rows: 1 read, all dropped (1 empty_both)"),
        (["{missing}"], 66, "missing.tsv: no such file"),
        (["{corpus}", "--valid", "{missing}"], 66, "missing.tsv: no such file"),
        (["{corpus}", "{one}"], 65, "corpus.tsv has TABs in most lines, but"),
        (["{sentences}", "{one}"], 65, "has 50 lines but"),
        (["{one}"], 65, "one.tsv, line 1: no TAB"),
        (["{corpus}", "--one-column"], 65, "corpus.tsv, line 1: 2 columns, expected one"),
        (["{sentences}", "--valid", "{corpus}"], 65, "corpus.tsv, line 1: 2 columns, expected one"),
        (["{corpus}", "--valid", "{sentences}"], 65, "s.txt, line 1: no TAB"),
        (["{corpus}", "{sentences}", "--one-column"], 2, "2 files for corpus: expected one file"),
        (["{sentences}", *["--test", "{one}"] * 2], 2, "2 files for test: expected one file of"),
        (["{mixed}"], 65, "mixed.txt, line 2: 2 columns, expected one"),
        (["{sentences}", "--skip-bad-lines"], 65, "no usable rows: 50 read, all dropped (50 colum"),
    ],
)
def test_a_fault_is_one_line_and_the_corpus_that_was_there_stays(
    tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    names = {
        "corpus": written(tmp_path, CORPUS),
        "empty": written(tmp_path, "\t\n", "empty.tsv"),
        "one": written(tmp_path, "x\n", "one.tsv"),
        "sentences": written(tmp_path, SENTENCES, "s.txt"),
        "csv": written(tmp_path, CORPUS.replace("\t", ","), "c.csv"),
        "mixed": written(tmp_path, "no target\n" + CORPUS, "mixed.txt"),
        "missing": str(tmp_path / "missing.tsv"),
    }
    run(tmp_path, names["corpus"])
    before = (tmp_path / "w" / "corpus" / "manifest.json").read_bytes()
    result = run(tmp_path, *(argument.format(**names) for argument in arguments))
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert (tmp_path / "w" / "corpus" / "manifest.json").read_bytes() == before
    verify_folder(tmp_path / "w" / "corpus", "corpus")
    assert not [path for path in (tmp_path / "w").iterdir() if path.name.startswith(".tmp")]


def test_a_workspace_in_use_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, CORPUS)
    with Workspace(tmp_path / "w").locked("train"):
        program = [sys.executable, "-m", "s2scli", "prepare", path, "-w", str(tmp_path / "w")]
        result = subprocess.run(program, capture_output=True, text=True, check=False)
    assert result.returncode == 73
    assert "is in use by `s2s train`" in result.stderr


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, CORPUS)
    found = set()
    for seed in ("0", "1"):
        workspace = tmp_path / seed
        program = [sys.executable, "-m", "s2scli", "prepare", path, "-w", str(workspace)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(program, env=environment, capture_output=True, check=True)
        files = sorted((workspace / "corpus").iterdir())
        found.add(tuple((file.name, file.read_bytes()) for file in files))
    assert len(found) == 1


def test_no_folder_or_text_of_the_user_is_in_manifest_or_report(tmp_path: Path) -> None:
    run(tmp_path, written(tmp_path, "source\ttarget\n" + CORPUS))
    corpus = tmp_path / "w" / "corpus"
    for name in ("manifest.json", "report.json"):
        text = (corpus / name).read_text()
        assert str(tmp_path) not in text
        assert "source 1" not in text


def test_a_line_of_many_megabytes_is_dropped(tmp_path: Path) -> None:
    text = "a\tb\n" + "x" * 5_000_000 + "\n" + CORPUS
    assert run(tmp_path, written(tmp_path, text, "c.tsv.gz")).exit_code == 0
    assert report(tmp_path)["files"][0]["dropped"] == {"over_long": 1}
    assert report(tmp_path)["files"][0]["read"] == 52


def interrupted(folder: Path, number: signal.Signals) -> int:
    """Signal a preparation that waits for more of its input; return its exit status."""
    program = [sys.executable, "-m", "s2scli", "prepare", "-", "-w", str(folder / "w")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin
        process.stdin.write(CORPUS.encode())
        process.stdin.flush()
        deadline = time.monotonic() + 30
        while not (folder / "w" / ".shards").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        return process.wait(timeout=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_the_corpus_that_was_there(
    tmp_path: Path, number: signal.Signals
) -> None:
    run(tmp_path, written(tmp_path, CORPUS))
    before = verify_folder(tmp_path / "w" / "corpus", "corpus")
    killed = number == signal.SIGKILL
    assert interrupted(tmp_path, number) == (-number if killed else 128 + number)
    assert verify_folder(tmp_path / "w" / "corpus", "corpus") == before
    assert (tmp_path / "w" / ".tmp-corpus").exists() == killed
    assert run(tmp_path, written(tmp_path, CORPUS)).exit_code == 0
    assert not (tmp_path / "w" / ".tmp-corpus").exists()


def test_a_full_disk_is_a_storage_error_and_nothing_is_left(tmp_path: Path) -> None:
    run(tmp_path, written(tmp_path, CORPUS))
    before = verify_folder(tmp_path / "w" / "corpus", "corpus")
    large = written(
        tmp_path, "".join(f"{n}{'x' * 900}\t{'y' * 900}\n" for n in range(2000)), "large.tsv"
    )
    program = [sys.executable, "-m", "s2scli", "prepare", large, "-w", str(tmp_path / "w")]
    result = subprocess.run(
        program,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )
    assert result.returncode == 74
    assert result.stderr.startswith("error: cannot write ")
    assert result.stderr.count("\n") == 1
    assert verify_folder(tmp_path / "w" / "corpus", "corpus") == before
    assert not (tmp_path / "w" / ".tmp-corpus").exists()


def test_the_recipes_to_suggest_are_there() -> None:
    assert set(RECIPES.values()) <= set(recipe_names())


def dialogues(count: int, *, one_column: bool) -> str:
    """Return dialogues of four turns each, as turn TAB reply or as turns with blank lines."""
    turns = [[f"turn {n} {letter}" for letter in "abcd"] for n in range(count)]
    if one_column:
        return "\n\n".join("\n".join(one) for one in turns) + "\n"
    return "".join(f"{a}\t{b}\n" for one in turns for a, b in itertools.pairwise(one))


@pytest.mark.parametrize("name", ["talk.tsv", "talk.txt"])
def test_a_dialogue_has_its_last_turns_as_source_and_one_split(tmp_path: Path, name: str) -> None:
    text = dialogues(30, one_column=name.endswith("txt"))
    result = run(tmp_path, written(tmp_path, text, name), "--history", "2")
    assert result.exit_code == 0, result.stderr
    splits = {split: rows(tmp_path, split) for split in ("train", "valid", "test")}
    for one in itertools.chain(*splits.values()):
        *_, number, letter = one.target.split()
        turns = [f"turn {number} {earlier}" for earlier in "abcd" if earlier < letter]
        assert one.source == " ␞ ".join(turns[-2:])
    numbers = [{one.target.split()[1] for one in part} for part in splits.values()]
    assert [len(part) for part in splits.values()] == [3 * len(own) for own in numbers]
    assert sum(map(len, numbers)) == len(set().union(*numbers)) == 30


def test_every_turn_is_accounted_for(tmp_path: Path) -> None:
    run(tmp_path, written(tmp_path, dialogues(30, one_column=True), "a.txt"), "--history", "2")
    (account,) = report(tmp_path)["files"]
    assert account["dropped"] == {"empty_both": 29, "first_turn": 30}
    assert account["read"] == account["kept"] + 59 == 149


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--swap"], "leave --swap out"),
        (["--source-kind", "audio"], "--history is for text"),
        (["--history", "0"], "--history: input should be greater than or equal to 1"),
    ],
)
def test_dialogues_are_texts_in_order(tmp_path: Path, words: list[str], fault: str) -> None:
    result = run(tmp_path, written(tmp_path, CORPUS), "--history", "2", *words)
    assert result.exit_code == 2
    assert fault in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--workers", "2", "--dask", "tcp://h:1"), "or --dask, not both"),
        (("--workers", "0"), "greater than or equal to 1"),
        (("--explain", "1", "--workers", "2"), "leave --workers and --dask out"),
        (("--suggest", "--dask", "tcp://h:1"), "leave --workers and --dask out"),
        (("--dask", "host"), "--dask 'host': not an address; expected one such as tcp://host:8786"),
    ],
    ids=str,
)
def test_who_shares_the_work_is_said_once(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = run(tmp_path, written(tmp_path, CORPUS), *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "w" / "corpus").exists()


def test_a_corpus_is_that_of_any_number_of_workers(tmp_path: Path) -> None:
    digests = set()
    for workers in ("1", "2"):
        assert run(tmp_path, written(tmp_path, CORPUS), "--workers", workers).exit_code == 0
        digests.add(verify_folder(tmp_path / "w" / "corpus", "corpus").digest)
    assert len(digests) == 1
