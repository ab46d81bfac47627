"""Files with fields in `s2s translate`, `score`, `evaluate` and `export --verify`, and tags."""

import gzip
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import s2scli
from s2scli.cli.app import app
from s2scli.errors import UsageError
from s2scli.tokenizer.learning import learn_sentencepiece
from s2scli.tokenizer.plan import TokenizerPlan
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.data.formats.writers import dataset, write
from tests.folders import write_model
from tests.translation import stub

PAIRS = [("a", "A"), ("b c", "B C"), ("", "x"), ("d", "E")]
ROWS = [
    {"x": {"s": "a", "t": "A"}},
    {"x": {"s": 5, "t": "A"}},
    {},
    {"x": {"s": "b\nc", "t": "B C"}},
]
FIELDS = ("--source-field", "x.s")
FAULTS = [
    "line 2: not {done} (the field 'x.s' is a number, expected text)",
    "line 3: not {done} (no field 'x.s'; found no fields)",
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, stub_model: Path) -> Callable[..., Result]:
    monkeypatch.setitem(sys.modules, stub.MODULE, stub.stub_module())

    def run(command: str, *arguments: object, given: bytes = b"") -> Result:
        words = [command, "-m", str(stub_model), *map(str, arguments)]
        return CliRunner().invoke(app, words, input=given)

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.tmx", "dataset"])
def test_every_row_is_translated_into_a_line(
    run: Callable[..., Result], tmp_path: Path, name: str
) -> None:
    (path,) = write(tmp_path, name, PAIRS)
    result = run("translate", path)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "A\nB C\n\nD\n"


def test_bad_rows_are_empty_lines(run: Callable[..., Result], rows: Path) -> None:
    result = run("translate", *FIELDS, rows)
    assert result.exit_code == 3
    assert result.stdout == "A\n\n\nB C\n"
    for fault in FAULTS:
        assert fault.format(done="translated") in result.stderr
    result = run("translate", *FIELDS, "--strict", rows)
    assert result.exit_code == 65
    assert "rows.jsonl, line 2: the field 'x.s' is a number" in result.stderr
    result = run("translate", *FIELDS, "--input-format", "jsonl", "--json", given=rows.read_bytes())
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["status"] for one in records] == ["ok", "failed", "failed", "ok"]


def test_pairs_with_fields_are_scored(
    run: Callable[..., Result], tmp_path: Path, rows: Path
) -> None:
    (path,) = write(tmp_path, "a.parquet", PAIRS)
    tsv = "".join(f"{source}\t{target}\n" for source, target in PAIRS).encode()
    assert run("score", path).stdout == run("score", given=tsv).stdout
    result = run("score", *FIELDS, "--target-field", "x.t", rows)
    assert result.exit_code == 3
    for fault in FAULTS:
        assert fault.format(done="scored") in result.stderr
    assert [bool(line) for line in result.stdout.split("\n")] == [True, False, False, True, False]


def test_a_file_with_fields_is_evaluated(
    run: Callable[..., Result], tmp_path: Path, stub_model: Path
) -> None:
    full = [(f"a {n} b c", f"A {n} B {'C' if n else 'D'}") for n in range(4)]
    (jsonl,), (src, ref) = write(tmp_path, "a.jsonl", full), write(tmp_path, "a.sgm", full)
    tsv = tmp_path / "a.tsv"
    tsv.write_text("".join(f"{source}\t{target}\n" for source, target in full))
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(jsonl.read_bytes()))
    for files in (
        ["--source", jsonl],
        ["--source", packed],
        ["--source", dataset(tmp_path / "d", full)],
        ["--source", tsv, "--input-format", "tsv"],
        ["--source", src, "--reference", ref],
    ):
        result = run("evaluate", *files, "--exact-match", "--json")
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["scores"][0]["value"] == 75
    found = s2scli.evaluate(
        tmp_path, metrics=["exact_match"], source=tsv, input_format="tsv", models=[stub_model]
    )
    assert found.scores[0].value == 75


def test_pairs_with_fields_are_augmented(tmp_path: Path, rows: Path) -> None:
    words = ["augment", str(rows), *FIELDS, "--target-field", "x.t", "--method", "noise"]
    result = CliRunner().invoke(app, [*words, "--drop", "0.0001"])
    assert result.exit_code == 3
    assert result.stdout == "a\tA\n\n\nb c\tB C\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("translate", "--input-format", "sgm", "{tsv}"), "has two files, and this command reads"),
        (("translate", "--source-field", "a", "{tsv}"), "the field 'a' is given, but"),
        (("score", "--target-field", "a", "{tsv}"), "the field 'a' is given, but"),
        (("evaluate", "--source", "{tsv}"), "--source needs --reference FILE"),
        (("evaluate", "--source-field", "a"), "--source-field is for files: give --source FILE"),
        (("evaluate", "--source", "{jsonl}", "--reference", "{tsv}"), "source and target in one"),
        (("evaluate", "--source", "{jsonl}", "--split", "test"), "give either --split or files"),
        (("translate", "--tag", "de", "{tsv}"), "--tag de: unknown to the model; its tags: none"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    run: Callable[..., Result], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (jsonl,) = write(tmp_path, "a.jsonl", PAIRS)
    (tmp_path / "a.tsv").write_text("a\tA\n")
    names = {"tsv": tmp_path / "a.tsv", "jsonl": jsonl}
    result = run(*(argument.format(**names) for argument in arguments))
    assert result.exit_code == 2, result.output
    assert message in result.stderr


def test_fields_without_a_file_to_verify_with_are_refused() -> None:
    result = CliRunner().invoke(app, ["export", "--source-field", "a", "--verify"])
    assert result.exit_code == 2, result.output
    assert "--source-field has no effect without --verify FILE" in result.stderr


@pytest.fixture(scope="module")
def tagged_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an untrained model with opinions, which knows two tags."""
    plan = TokenizerPlan("char", 60, False, 1.0, False)
    texts = ["abcdefghij .", "klmnop"]
    source = learn_sentencepiece(lambda: texts, replace(plan, tags=("de", "fr")), "none")
    target = learn_sentencepiece(lambda: texts, plan, "none")
    folder = tmp_path_factory.mktemp("tagged") / "model"
    changes = ("training.max_length=20", "search.max_length=10")
    return write_model(folder, Tokenizers(source, target, joint=False), *changes, scale=3.0)


def test_a_tag_is_put_in_front_of_every_part_of_a_line(
    tagged_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = s2scli.load(tagged_model)
    assert model.tags == ("de", "fr")
    engine = model.translator.engine
    seen: list[list[int]] = []
    search = type(engine).search

    def spied(self: Any, sources: Any, *rest: Any, **more: Any) -> Any:
        seen.extend(ids.tolist() for ids in sources)
        return search(self, sources, *rest, **more)

    monkeypatch.setattr(type(engine), "search", spied)
    long = " ".join(["abc de. fgh."] * 8)
    (record,) = model.records([long], tag="fr", beam_size=1)
    assert record.source == long and record.overlong
    assert len(seen) > 2
    assert all(ids[0] == 5 and 5 not in ids[1:] and len(ids) <= 20 for ids in seen)
    parts = [ids[1:] for ids in seen]
    seen.clear()
    (own,) = model.records([f"<2fr> {long}"], beam_size=1)
    assert [ids[1:] for ids in seen] == parts and all(ids[0] == 5 for ids in seen)
    assert own.text == record.text and own.source == long
    with pytest.raises(UsageError, match="tag it: unknown to the model; its tags: de, fr"):
        model.translate(["a"], tag="it")


def test_a_tag_changes_what_is_written_and_belongs_to_no_word(tagged_model: Path) -> None:
    def run(*arguments: str) -> list[str]:
        words = ["translate", "-m", str(tagged_model), "--beam-size", "1", *arguments]
        result = CliRunner().invoke(app, words, input="abc def\n<2de> abc def\n")
        assert result.exit_code == 0, result.stderr
        return result.stdout.splitlines()

    bare, own = run("--scores")
    assert run("--scores", "--tag", "de")[0] == own
    assert own != bare
    record = json.loads(run("--tag", "de", "--json")[0])
    assert record["source"] == "abc def"
    assert record["source_tokens"][0] == "<2de>"
    shown = CliRunner().invoke(app, ["inspect", "model", "-m", str(tagged_model), "--json"])
    assert json.loads(shown.stdout)["tags"] == ["de", "fr"]
    shown = CliRunner().invoke(app, ["inspect", "model", "-m", str(tagged_model)])
    assert "de, fr" in shown.stdout
    refused = CliRunner().invoke(app, ["translate", "-m", str(tagged_model), "--tag", "it"])
    assert refused.exit_code == 2
    assert "--tag it: unknown to the model; its tags: de, fr" in refused.stderr


def test_pairs_and_files_are_scored_with_a_tag(tagged_model: Path, tmp_path: Path) -> None:
    def run(command: str, *arguments: object, status: int = 0) -> str:
        words = [command, "-m", str(tagged_model), *map(str, arguments)]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == status, result.output
        return result.stdout if status == 0 else result.stderr

    bare, own = tmp_path / "bare.tsv", tmp_path / "own.tsv"
    bare.write_text("abc def\tkl\nabc\tmn\n")
    own.write_text("<2de> abc def\tkl\n<2de> abc\tmn\n")
    assert run("score", "--tag", "de", bare) == run("score", own) != run("score", bare)

    def scores(path: Path, *arguments: str) -> Any:
        columns = zip(*(line.split("\t") for line in path.read_text().splitlines()), strict=True)
        for side, cells in zip(("source", "reference"), columns, strict=True):
            (tmp_path / side).write_text("".join(f"{cell}\n" for cell in cells))
        files = [
            word for side in ("source", "reference") for word in (f"--{side}", tmp_path / side)
        ]
        metrics = ("--chrf", "--perplexity", "--beam-size", "1", "--json")
        found = run("evaluate", *files, *metrics, *arguments)
        return json.loads(found)["scores"]

    assert scores(bare, "--tag", "de") == scores(own) != scores(bare)
    bare.write_text("\tkl\nabc\tmn\n")
    assert run("score", "--tag", "de", bare).startswith("\n"), "a blank source has no score"
    unknown = "--tag it: unknown to the model; its tags: de, fr"
    assert unknown in run("score", "--tag", "it", bare, status=2)
    for of in (["--split", "test"], ["--hypothesis", bare, "--reference", bare]):
        refused = run("evaluate", "--tag", "de", *of, status=2)
        assert "--tag is for the sources of a file: give --source FILE" in refused
    files = ["--source", bare, "--reference", bare]
    refused = run("evaluate", "--tag", "de", *files, "--importance-samples", "2", status=2)
    assert "--importance-samples needs the tag in the file: leave --tag out" in refused
    refused = run("evaluate", "--tag", "de", *files, "--aer", bare, status=2)
    assert "--aer scores only alignments: leave --tag out" in refused
