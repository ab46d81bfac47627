"""`s2s prepare` with other formats than text, with several corpora, and with tags."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import s2scli
from s2scli.cli.app import app
from s2scli.data.mixing import Mixture
from s2scli.data.store import Corpus, split_path
from s2scli.errors import CheckpointError, UsageError
from s2scli.manifest import Manifest
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.data.formats.writers import EVERY, dataset, write
from tests.folders import letters_of, write_model

PAIRS = [(f"source {n} ä", f'target "{n}", <x> & y') for n in range(30)]


def run(folder: Path, *arguments: object) -> Result:
    words = ["prepare", *map(str, arguments), "-w", str(folder / "w")]
    return CliRunner().invoke(app, words)


def tsv(path: Path, pairs: list[tuple[str, str]] = PAIRS, *more: str) -> Path:
    rows = ("\t".join([*pair, *more]) + "\n" for pair in pairs)
    path.write_text("".join(rows), encoding="utf-8")
    return path


def train_of(folder: Path) -> bytes:
    return split_path(folder / "w" / "corpus", "train").read_bytes()


def rows_of(folder: Path) -> dict[str, list[tuple[str, str]]]:
    corpus = Corpus.load(folder / "w" / "corpus")
    return {
        split: [(row.source, row.target) for row in corpus.open_split(split)]
        for split in corpus.splits
    }


def report(folder: Path) -> Any:
    return json.loads((folder / "w" / "corpus" / "report.json").read_text())


@pytest.mark.parametrize(
    "names", [("a.csv", "a.sgm", "dataset"), pytest.param(EVERY, marks=pytest.mark.slow)]
)
def test_the_same_rows_in_every_format_are_the_same_corpus(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    assert run(tmp_path, tsv(tmp_path / "a.tsv")).exit_code == 0
    expected = train_of(tmp_path)
    for name in names:
        result = run(tmp_path, *write(tmp_path, name, PAIRS))
        assert result.exit_code == 0, result.stderr
        assert train_of(tmp_path) == expected, name
        account = report(tmp_path)["files"][0]
        assert account["read"] == account["kept"] == len(PAIRS)


def test_fields_are_named_and_bad_rows_are_counted(tmp_path: Path) -> None:
    rows: list[object] = [{"tr": {"en": source, "de": target}} for source, target in PAIRS]
    bad = [{"tr": {"en": 1, "de": "x"}}, {"tr": {"de": "x"}}, {"tr": {"en": None, "de": "x"}}, [1]]
    path = tmp_path / "a.data"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *bad]))
    asked = ("--format", "jsonl", "--source-field", "tr.en", "--target-field", "tr.de")
    result = run(tmp_path, path, *asked)
    assert result.exit_code == 65
    assert "a.data, line 31: the field 'tr.en' is a number, expected text (to" in result.stderr
    result = run(tmp_path, path, *asked, "--skip-bad-lines")
    assert result.exit_code == 0, result.stderr
    (account,) = report(tmp_path)["files"]
    assert account["read"] == 34
    assert account["dropped"] == {"json": 1, "missing_field": 1, "not_text": 1, "null": 1}
    facts = json.loads((tmp_path / "w" / "corpus" / "manifest.json").read_text())["facts"]
    assert (facts["input_format"], facts["source_field"]) == ("jsonl", "tr.en")


FLAWS: list[tuple[list[str], int, str]] = [
    (["{jsonl}", "--columns", "1,2"], 2, "--columns does not work with jsonl, which has named"),
    (["{jsonl}", "--tag-column", "1"], 2, "--tag-column does not work with jsonl"),
    (["{jsonl}", "--no-header"], 2, "--header and --no-header are for text, not for jsonl"),
    (["{tsv}", "--source-field", "a"], 2, "--source-field does not work with tsv, which has colu"),
    (["{tsv}", "--format", "tsv", "--tag-field", "a"], 2, "--tag-field does not work with tsv"),
    (["{src}", "{ref}", "--source-field", "a"], 2, "--source-field does not work with sgm"),
    (["{src}"], 2, "1 files for corpus: expected a source file and a target file, in turn"),
    (["{tsv}", "--one-column", "--format", "jsonl"], 2, "--one-column does not work with jsonl"),
    (["{jsonl}", "--one-column"], 2, "--one-column does not work with jsonl; leave it out"),
    (["{txt}", "--tag-column", "2"], 2, "--tag-column does not work with sentences, which have no"),
    (["{txt}", "--tag-field", "a"], 2, "--tag-field does not work with sentences, which have no"),
    (["{tsv}", "--format", "jsonl"], 65, "line 1: not JSON"),
    (["{tsv}", "--format", "parquet"], 65, "a.tsv: damaged Parquet file"),
    (["{tsv}", "--format", "arrow"], 65, "a.tsv: damaged Arrow file"),
    (["-", "--format", "parquet"], 65, "stdin: this format cannot be read from a stream"),
    (["{tsv}", "--format", "xml"], 2, "--input-format"),
    (["{tsv}=2"], 2, "weights and --sampling-temperature mix several corpora"),
    (["{tsv}", "--sampling-temperature", "5"], 2, "weights and --sampling-temperature mix"),
    (["{tsv}=2000", "{jsonl}"], 2, "expected weights from 0.01 to 1000, such as corpus.tsv=2"),
    (["{tsv}=x", "{jsonl}"], 66, "a.tsv=x: no such file"),
    (["{src}=2", "{ref}", "{jsonl}"], 2, "a source file and its target file need the same weight"),
    (["{tsv}", "{jsonl}", *["--tag", "a"] * 3], 2, "3 times --tag: expected one for all, or one"),
    (["{tsv}", "--tag", "a b"], 2, "--tag: not a tag: 'a b'; expected up to 32 ASCII letters"),
    (["{tsv}", "--tag", "a", "--tag-column", "3"], 2, "give either --tag or --tag-column"),
    (["{tsv}", "--tag-column", "3"], 65, "2 columns, but --tag-column asks for column 3"),
    (["{tsv}", "--tag-column", "1"], 65, "2 columns, but the sides beside the tag need column 3"),
    (
        ["{tsv}", "--tag-column", "1", "--columns", "1,2"],
        *(65, "a.tsv, line 1: not a tag: 'source 0 ä'"),
    ),
    (["{jsonl}", "--tag-field", "x"], 65, "a.jsonl, line 1: no field 'x'; found source, target"),
    (["{jsonl}", "--tag-field", "x", "--history", "2"], 2, "--history joins rows: leave --tag-f"),
    (["{tsv}", "--tag", "a", "--source-kind", "audio"], 2, "a tag is put in front of a source of"),
]


def test_sentences_may_have_a_held_out_file_with_fields(tmp_path: Path) -> None:
    (tmp_path / "mono.txt").write_text("".join(f"sentence {n}\n" for n in range(40)))
    (valid,) = write(tmp_path, "a.jsonl", PAIRS)
    assert run(tmp_path, str(tmp_path / "mono.txt"), "--valid", str(valid)).exit_code == 0


@pytest.mark.parametrize(("arguments", "status", "message"), FLAWS)
def test_a_fault_is_one_line(
    tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    src, ref = write(tmp_path, "a.sgm", PAIRS)
    (jsonl,) = write(tmp_path, "a.jsonl", PAIRS)
    (txt := tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    names = {"tsv": tsv(tmp_path / "a.tsv"), "jsonl": jsonl, "src": src, "ref": ref, "txt": txt}
    result = run(tmp_path, *(argument.format(**names) for argument in arguments))
    assert result.exit_code == status, result.output
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "w" / "corpus").exists()


def test_corpora_are_mixed_by_weight_and_only_in_training(tmp_path: Path) -> None:
    a, b = tsv(tmp_path / "a.tsv"), tmp_path / "b.jsonl"
    b.write_text("".join(f'{{"source": "b {n}", "target": "B {n}"}}\n' for n in range(20)))
    assert run(tmp_path, a, b).exit_code == 0
    plain = rows_of(tmp_path)
    result = run(tmp_path, f"{a}=2", b)
    assert result.exit_code == 0, result.stderr
    assert rows_of(tmp_path) == plain
    counts = Counter(source.startswith("b") for source, _ in plain["train"])
    mixture = Corpus.load(tmp_path / "w" / "corpus").mixture
    assert mixture == Mixture((counts[False], counts[True]), (2.0, 1.0))
    assert f"a.tsv: {counts[False]} training rows, each seen 2 times an epoch" in result.stderr
    assert run(tmp_path, a, b, "--sampling-temperature", "1000").exit_code == 0
    even = Corpus.load(tmp_path / "w" / "corpus").mixture
    seen = [rows * times for rows, times in zip(even.rows, even.times, strict=True)]
    assert seen[0] == pytest.approx(seen[1], rel=0.01)
    assert sum(seen) == pytest.approx(sum(even.rows), rel=0.01)


def test_a_file_whose_name_has_a_weight_is_meant_as_a_whole(tmp_path: Path) -> None:
    assert run(tmp_path, tsv(tmp_path / "a.tsv=2")).exit_code == 0


def test_a_tag_for_each_file_or_for_each_row(tmp_path: Path) -> None:
    a, b = tsv(tmp_path / "a.tsv"), tsv(tmp_path / "b.tsv", [(s, t.upper()) for s, t in PAIRS])
    test = tsv(tmp_path / "test.tsv", [("new", "x")])
    result = run(tmp_path, a, b, "--tag", "low", "--tag", "up", "--test", test, "--test", test)
    assert result.exit_code == 0, result.stderr
    assert Corpus.load(tmp_path / "w" / "corpus").tags == ("low", "up")
    rows = rows_of(tmp_path)
    assert rows["test"] == [("<2low> new", "x"), ("<2up> new", "x")]
    assert {(source.split(">")[0], target.isupper()) for source, target in rows["train"]} == {
        ("<2low", False),
        ("<2up", True),
    }
    train = {source.partition(" ")[2] for source, _ in rows["train"]}
    assert not train & {source.partition(" ")[2] for source, _ in rows["valid"]}, "one split"
    by_row = [tmp_path / "rows.tsv", tmp_path / "rows.csv"]
    lines = [
        f"{s}\t{t.replace(chr(34), '')}\t{'de' if n % 2 else 'fr'}"
        for n, (s, t) in enumerate(PAIRS)
    ]
    by_row[0].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    by_row[1].write_text("".join(f"{line}\n" for line in ["source\ttarget\tlang", *lines]))
    assert run(tmp_path, by_row[0], "--tag-column", "3").exit_code == 0
    expected = train_of(tmp_path)
    assert b"<2de> source 1" in expected or b"<2fr> source 0" in expected
    assert run(tmp_path, by_row[1], "--format", "csv", "--tag-field", "lang").exit_code == 0
    assert train_of(tmp_path) == expected


def test_more_tags_than_a_model_can_have_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"s {n}\tt {n}\tx{n}\n" for n in range(1100)))
    result = run(tmp_path, path, "--tag-column", "3")
    assert result.exit_code == 65
    assert "1,100 different tags, at most 1,000 are allowed; the first are x0, x1" in result.stderr


def test_a_tokenizer_without_the_tags_is_pointed_out(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", letters_of([text for pair in PAIRS for text in pair]))
    assert run(tmp_path, tsv(tmp_path / "a.tsv"), "--tag", "de").exit_code == 0
    words = ["train-tokenizer", "-w", str(tmp_path / "w")]
    adopted = CliRunner().invoke(app, [*words, "--from", str(model)])
    assert adopted.exit_code == 0, adopted.stderr
    assert "the tokenizer has no token for the tags de" in " ".join(adopted.stderr.split())
    learned = CliRunner().invoke(app, words)
    assert learned.exit_code == 0, learned.stderr
    assert Tokenizers.load(tmp_path / "w" / "tokenizer").tags == ("de",)


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"tags": ["a b"]}, "tags"),
        ({"tags": 5}, "tags"),
        ({"mixture": {"rows": [1], "times": []}}, "mixture"),
        ({"mixture": {"rows": [1], "times": [0.0]}}, "mixture"),
        ({"mixture": {"rows": ["a"], "times": [1.0]}}, "mixture"),
    ],
)
def test_a_manifest_that_says_something_impossible(
    tmp_path: Path, facts: dict[str, Any], name: str
) -> None:
    corpus = Corpus(tmp_path, Manifest("corpus", 1, {}, facts, {}, ""))
    with pytest.raises(CheckpointError, match=rf"{name}: .*make the corpus again with"):
        _ = (corpus.tags, corpus.mixture)


@pytest.mark.slow
def test_a_dataset_that_its_own_library_saved(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list([{"source": s, "target": t} for s, t in PAIRS])
    data.save_to_disk(tmp_path / "own", num_shards=3)
    assert run(tmp_path, tmp_path / "own").exit_code == 0
    expected = train_of(tmp_path)
    assert run(tmp_path, dataset(tmp_path / "ours", PAIRS)).exit_code == 0
    assert train_of(tmp_path) == expected


def test_the_python_api_takes_weights_and_tags(tmp_path: Path) -> None:
    files, home = [tsv(tmp_path / f"{name}.tsv") for name in "ab"], tmp_path / "w"
    s2scli.prepare(files, home, weights=[2, 1], tags=["x", "y"])
    corpus = Corpus.load(home / "corpus")
    assert (corpus.tags, corpus.mixture.times) == (("x", "y"), (2.0, 1.0))
    with pytest.raises(UsageError, match="1 weights for 2 files: expected one for each"):
        s2scli.prepare(files, home, weights=[2])
