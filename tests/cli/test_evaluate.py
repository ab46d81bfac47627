"""`s2s evaluate`, with a translator that only shouts."""

import gzip
import json
import re
import shlex
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.manifest import new_folder, read_manifest
from s2scli.pipeline.evaluation import read_test_scores
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.translator import Translator
from tests.folders import letters_of, write_model
from tests.translation import stub

Run = Callable[..., Result]

ROWS = [(f"the dog number {n} runs home .", f"THE DOG NUMBER {n} RUNS HOME .") for n in range(60)]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Return a workspace with a corpus of pairs that the stub translates rightly, and a model."""
    corpus = tmp_path / "corpus.tsv"
    corpus.write_text("".join(f"{source}\t{target}\n" for source, target in ROWS))
    held_out = tmp_path / "test.tsv"
    held_out.write_text("a b c d e\tA B C D E\nf g h i j\tF G H I X\n")
    result = CliRunner().invoke(
        app,
        ["prepare", str(corpus), "--test", str(held_out), "-w", str(tmp_path / "w"), "-q"],
    )
    assert result.exit_code == 0, result.output
    with new_folder(tmp_path / "w" / "model", "model"):
        pass
    return tmp_path / "w"


def model_digest(workspace: Path) -> str:
    return read_manifest(workspace / "model", "model").digest


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> Run:
    def load() -> Translator:
        return replace(stub.stub_translator(), identity=(model_digest(workspace),))

    monkeypatch.setitem(sys.modules, stub.MODULE, stub.stub_module(load))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["evaluate", "-w", str(workspace), *arguments])

    return run


def scores_of(result: Result) -> dict[str, float]:
    assert result.exit_code == 0, result.stderr
    return {score["name"]: score["value"] for score in json.loads(result.stdout)["scores"]}


def test_the_test_split_is_scored_with_three_metrics(evaluate: Run) -> None:
    result = evaluate("--json")
    scores = scores_of(result)
    assert list(scores) == ["BLEU", "chrF2", "exact match"]
    assert scores["exact match"] == 50.0
    document = json.loads(result.stdout)
    assert (document["scored"], document["sentences"]) == ("test split", 2)
    assert document["speed"]["tokens_per_second"] == pytest.approx(
        6 * document["speed"]["sentences_per_second"]
    )
    assert document["search"]["beam_size"] == 5


def test_the_table_shows_signature_interval_and_speed(evaluate: Run) -> None:
    result = evaluate("--bleu", "--exact-match")
    assert result.exit_code == 0
    for expected in (
        "50.00    0.00 to 100.00",
        "sentences/s",
        "test split",
        "the model's own settings",
    ):
        assert expected in result.stdout
    *_, bleu, exact_match = result.stdout.splitlines()
    assert re.fullmatch(r"BLEU\|nrefs:1\|bs:1000\|.*\|tok:13a\|.*\|version:[0-9.]+", bleu)
    assert exact_match == "exact match|case:mixed|space:strip|bs:1000|seed:12345"
    assert "next: s2s translate" in result.stderr


def test_it_is_kept_in_the_workspace_with_the_models_digest(evaluate: Run, workspace: Path) -> None:
    shown = json.loads(evaluate("--json", "--bleu").stdout)
    kept = json.loads((workspace / "evaluation.json").read_bytes())
    assert kept.pop("model") == model_digest(workspace)
    assert kept == shown
    assert "tok:13a" in kept["scores"][0]["signature"]


def test_a_model_that_training_publishes_meanwhile_gets_no_scores_of_the_old_one(
    evaluate: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = model_digest(workspace)

    def load() -> Translator:
        with new_folder(workspace / "model", "model") as draft:
            draft.facts = {"step": 2}
        return replace(stub.stub_translator(), identity=(scored,))

    monkeypatch.setitem(sys.modules, stub.MODULE, stub.stub_module(load))
    assert evaluate("--bleu", "--split", "test").exit_code == 0
    assert json.loads((workspace / "evaluation.json").read_bytes())["model"] == scored
    assert read_test_scores(workspace / "model", scored) is not None
    assert read_test_scores(workspace / "model", model_digest(workspace)) is None


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--split valid --bleu --beam-size 2 --resamples 9",
        "--chrf --multi-reference --length-penalty 0",
    ],
)
def test_the_command_that_is_kept_makes_the_scores_again(evaluate: Run, flags: str) -> None:
    shown = json.loads(evaluate("--json", *flags.split()).stdout)
    program, command, *words = shlex.split(shown["command"])
    assert (program, command) == ("s2s", "evaluate")
    again = json.loads(evaluate("--json", *words).stdout)
    for document in (shown, again):
        del document["speed"]
    assert again == shown


def test_scores_that_cannot_be_kept_are_shown(evaluate: Run, workspace: Path) -> None:
    (workspace / "evaluation.json").mkdir()
    result = evaluate("--exact-match", "--json")
    assert scores_of(result) == {"exact match": 50.0}
    assert "warning: the scores were not saved: cannot write" in result.stderr


def test_a_model_of_another_corpus_is_told(evaluate: Run, workspace: Path) -> None:
    known = read_manifest(workspace / "corpus", "corpus").digest
    training = workspace / "training" / "checkpoint-00000001"
    for folder, kind, digest, stale in (
        (workspace / "tokenizer", "tokenizer", known, False),
        (workspace / "tokenizer", "tokenizer", "another", True),
        (training, "checkpoint", known, False),
        (training, "checkpoint", "another", True),
    ):
        with new_folder(folder, kind, made_from={"corpus": digest}):
            pass
        result = evaluate("--exact-match")
        assert result.exit_code == 0
        told = f"train it again: s2s train -w {workspace} --restart"
        assert (told in result.stderr) is stale


def test_another_model_or_file_leaves_no_trace_in_the_workspace(
    evaluate: Run, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "s").write_text("a\n")
    (tmp_path / "r").write_text("A\n")
    evaluate("-m", str(workspace / "model"), "--bleu")
    evaluate("--source", str(tmp_path / "s"), "--reference", str(tmp_path / "r"))
    assert evaluate("--int8", "--bleu").exit_code == 0
    assert not (workspace / "evaluation.json").exists()


def test_weights_of_8_bits_are_told(evaluate: Run) -> None:
    for flags, known in (((), False), (("--int8",), True)):
        assert json.loads(evaluate("--bleu", "--json", *flags).stdout)["int8"] is known
        assert ("8-bit" in evaluate("--bleu", *flags).stdout) is known


def test_another_split(evaluate: Run) -> None:
    scores = scores_of(evaluate("--split", "train", "--exact-match", "--json"))
    assert scores == {"exact match": 100.0}


def test_the_models_opinion_of_the_references(evaluate: Run) -> None:
    scores = scores_of(evaluate("--perplexity", "--token-accuracy", "--json"))
    assert scores == pytest.approx(
        {"perplexity": 2 ** ((11 + 3) / 12), "token accuracy": 100 * 11 / 12}
    )


def test_an_opinion_needs_no_search(evaluate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(stub.StubEngine, "search")
    document = json.loads(evaluate("--perplexity", "--json").stdout)
    assert (document["speed"], document["search"]) == (None, {})


def test_files_are_translated_and_the_outputs_kept(evaluate: Run, tmp_path: Path) -> None:
    (tmp_path / "s.gz").write_bytes(gzip.compress(b"a\n\nlong " + b"b " * 9 + b"\nboom\n"))
    (tmp_path / "r").write_text("A\nB\nC\nD\n")
    arguments = ["--source", str(tmp_path / "s.gz"), "--reference", str(tmp_path / "r")]
    result = evaluate(*arguments, "-o", str(tmp_path / "out"), "--json")
    assert scores_of(result)["exact match"] == 25.0
    document = json.loads(result.stdout)
    assert (document["failed"], document["overlong"]) == (1, 1)
    assert document["scored"] == "s.gz against r"
    assert "s.gz against r, line 4: not translated (RuntimeError" in result.stderr
    assert (tmp_path / "out").read_text() == "A\n\nLONG B B B B B B B B B\n\n"
    table = evaluate(*arguments).stdout
    assert "failed (scored as empty)" in table
    assert "too long (split and joined)" in table


def test_pairs_with_a_blank_side_have_no_perplexity(evaluate: Run, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a\n\n\u200b\n")
    (tmp_path / "r").write_text("A\nB\nC\n")
    arguments = ["--source", str(tmp_path / "s"), "--reference", str(tmp_path / "r")]
    scores = scores_of(evaluate(*arguments, "--perplexity", "--json"))
    assert scores == pytest.approx({"perplexity": 2.0})
    (tmp_path / "s").write_text("\n\n\n")
    result = evaluate(*arguments, "--perplexity")
    assert result.exit_code == 65
    assert "no pair can be scored" in result.stderr


def test_outputs_are_scored_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "h").write_text("one two three four\nfive\n")
    (tmp_path / "r").write_text("one two three four\nsix\n")
    words = ["evaluate", "--hypothesis", str(tmp_path / "h"), "--reference", str(tmp_path / "r")]
    result = CliRunner().invoke(app, [*words, "--json", "--exact-match", "--ter"])
    assert scores_of(result) == pytest.approx({"TER": 20.0, "exact match": 50.0})
    document = json.loads(result.stdout)
    assert document["speed"] is None and document["search"] == {}
    piped = CliRunner().invoke(
        app, ["evaluate", "--hypothesis", "-", *words[3:], "--json", "--ter"], input="x\n"
    )
    assert piped.exit_code == 65


def test_outputs_are_scored_against_several_references(tmp_path: Path) -> None:
    rows = [("s", "the cat sat", "a dog"), ("s", "the cat sat", "the cat sat"), ("t", "x", "x y")]
    for name, column in zip(
        ("source", "hypothesis", "reference"), zip(*rows, strict=True), strict=True
    ):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in column))
    words = [
        word
        for name in ("hypothesis", "reference", "source")
        for word in (f"--{name}", str(tmp_path / name))
    ]
    table = tmp_path / "table.tsv"
    asked = ["evaluate", *words, "--multi-reference", "--rouge", "--json", "-o", str(table)]
    result = CliRunner().invoke(app, asked)
    best = pytest.approx({"ROUGE-1": 100 * (1 + 2 / 3) / 2, "ROUGE-2": 50.0, "ROUGE-L": 250 / 3})
    assert scores_of(result) == best
    assert json.loads(result.stdout)["sentences"] == 2
    first, second = table.read_text().splitlines()
    assert first.startswith("s\tthe cat sat\tthe cat sat\t") and second.startswith("t\tx y\tx\t")
    (tmp_path / "hypothesis").write_text("the cat sat\na dog\nx\n")
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 65
    assert "source, line 1: this source has different outputs" in refused.stderr


def test_outputs_and_references_are_as_diverse_as_they_are(evaluate: Run, tmp_path: Path) -> None:
    for name, text in (("h", "I do.\nI do.\nNo\n"), ("r", "Yes.\nI do not.\nNo\n")):
        (tmp_path / name).write_text(text)
    words = ["--hypothesis", str(tmp_path / "h"), "--reference", str(tmp_path / "r"), "--diversity"]
    document = json.loads(evaluate(*words, "--json", "--f1").stdout)
    outputs, references = document["diversity"]["outputs"], document["diversity"]["references"]
    assert outputs["commonest"] == pytest.approx(200 / 3) and outputs["commonest_text"] == "I do."
    assert (outputs["distinct1"], references["distinct1"]) == pytest.approx((400 / 7, 600 / 7))
    shown = evaluate(*words).stdout
    assert re.search(r"commonest text, % +66\.67 +33\.33", shown)
    assert "diversity" not in json.loads(evaluate("--json", "--bleu").stdout)
    assert "diversity" in json.loads(evaluate("--json", "--diversity").stdout)


def test_the_metrics_take_their_settings(evaluate: Run) -> None:
    result = evaluate("--bleu", "--tokenize", "char", "--resamples", "0", "--json")
    (score,) = json.loads(result.stdout)["scores"]
    assert "tok:char" in score["signature"]
    assert score["interval"] is None


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--source", "a"], 2, "--source needs --reference FILE"),
        (["--hypothesis", "a"], 2, "--hypothesis needs --reference FILE"),
        (["--reference", "a"], 2, "--reference also needs --source FILE or --hypothesis FILE"),
        (["--source", "a", "--hypothesis", "b", "--reference", "c"], 2, "not both"),
        (["--split", "test", "--source", "a", "--reference", "b"], 2, "not both"),
        (["--hypothesis", "a", "--reference", "b", "--perplexity"], 2, "--perplexity needs"),
        (["--hypothesis", "a", "--reference", "b", "-o", "c"], 2, "give -o FILE.tsv for the"),
        (["--hypothesis", "a", "--reference", "b", "-o", "/no-folder/o.tsv"], 74, "cannot write"),
        (["-o", "/no-folder/out.tsv"], 74, "cannot write /no-folder/out.tsv"),
        (["--hypothesis", "a", "--reference", "b", "-m", "c"], 2, "leave --model out"),
        (
            ["--hypothesis", "a", "--reference", "b", "--beam-size", "3"],
            *(2, "--beam-size has no effect: nothing is translated"),
        ),
        (["--perplexity", "--beam-size", "3"], 2, "--beam-size has no effect: nothing is"),
        (["--diversity-penalty", "1"], 2, "--diversity-penalty has no effect without --beam-gro"),
        (["--source", "no-file", "--reference", "b"], 66, "no-file: no such file"),
        (["--source", "-", "--reference", "-"], 2, "stdin can be read only once"),
        (["--split", "dev"], 2, "--split dev: expected one of train, valid, test"),
        (["--beam-size", "0"], 2, "error: --beam-size: input should be greater"),
        (["--tokenize", "moses"], 2, "error: --tokenize: input should be"),
        (["-o", "/no-folder/out"], 74, "cannot write /no-folder/out"),
        (["-o", "-"], 2, "-o -: stdout has the scores; give a file for the outputs"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    evaluate: Run, arguments: list[str], status: int, message: str
) -> None:
    result = evaluate(*arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_an_output_that_cannot_be_written_is_refused_before_a_model_is_loaded(
    workspace: Path,
) -> None:
    words = ["evaluate", "-w", str(workspace), "-m", "no-model", "-o", "/no-folder/out"]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, result.stdout) == (74, "")
    assert "cannot write /no-folder/out" in result.stderr


def test_without_a_model_it_says_how_to_get_one(evaluate: Run, workspace: Path) -> None:
    (workspace / "model" / "manifest.json").unlink()
    (workspace / "model").rmdir()
    result = evaluate()
    assert result.exit_code == 66
    assert f"no model here; make one: s2s train -w {workspace}" in result.stderr


def test_without_a_corpus_it_says_how_to_make_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "-w", str(tmp_path)])
    assert result.exit_code == 66
    assert f"no corpus here; make one: s2s prepare -w {tmp_path} corpus.tsv" in result.stderr


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (b"a\nb\n", b"a\n", "left has 2 lines but {folder}/right has 1;"),
        (b"a\n\xff\n", b"a\nb\n", "left, line 2: byte 1 (0xFF) is not UTF-8"),
        (b"a\nb\n", b"", "right: the file is empty"),
    ],
)
def test_files_that_do_not_belong_together(
    evaluate: Run, tmp_path: Path, left: bytes, right: bytes, message: str
) -> None:
    (tmp_path / "left").write_bytes(left)
    (tmp_path / "right").write_bytes(right)
    names = [str(tmp_path / "left"), "--reference", str(tmp_path / "right")]
    for way in ("--source", "--hypothesis"):
        result = evaluate(way, *names)
        assert result.exit_code == 65
        assert message.format(folder=tmp_path) in result.stderr


def test_a_line_without_end_is_refused(
    evaluate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2scli.data.row_stream.LINE_BYTES", 10)
    (tmp_path / "left").write_text("a\n" + "b" * 20)
    names = [str(tmp_path / "left"), "--reference", str(tmp_path / "left")]
    result = evaluate("--hypothesis", *names)
    assert result.exit_code == 65
    assert "left, line 2: longer than 10 bytes" in result.stderr


def test_a_real_model_is_scored_with_every_metric(trained_workspace: Path) -> None:
    words = ["evaluate", "-w", str(trained_workspace), "--device", "cpu", "--json"]
    metrics = ["bleu", "chrf", "ter", "exact-match", "perplexity", "token-accuracy"]
    metrics += ["sequence-error-rate", "symbol-error-rate", "multi-reference"]
    metrics += ["rouge", "f1", "word-perplexity", "byte-perplexity"]
    result = CliRunner().invoke(app, [*words, *(f"--{metric}" for metric in metrics)])
    scores = scores_of(result)
    assert len(scores) == 14
    # a model that has seen a few batches is better than chance among its pieces, and not perfect
    assert 1 < scores["perplexity"] < 50
    assert 1 < scores["byte perplexity"] <= scores["perplexity"] <= scores["word perplexity"]
    assert 0 < scores["token accuracy"] < 100


def test_an_ensemble_is_scored(trained_workspace: Path, tmp_path: Path) -> None:
    model = trained_workspace / "model"
    other = write_model(tmp_path / "other", Tokenizers.load(model), seed=5)

    def perplexity(*models: Path) -> float:
        flags = [word for folder in models for word in ("-m", str(folder))]
        words = ["evaluate", "-w", str(trained_workspace), "--device", "cpu", "--json"]
        result = CliRunner().invoke(app, [*words, *flags, "--perplexity"])
        return scores_of(result)["perplexity"]

    kept = trained_workspace / "evaluation.json"
    kept.unlink(missing_ok=True)
    alone, untrained = perplexity(model), perplexity(other)
    assert perplexity(model, model) == pytest.approx(alone, rel=1e-5)
    assert alone < perplexity(model, other) < untrained
    assert not kept.exists()


def test_every_setting_of_the_beam_search_can_be_given(evaluate: Run) -> None:
    flags = ("--length-offset", "5", "--min-length", "2", "--no-repeat-ngram", "3")
    searched = json.loads(evaluate(*flags, "--json").stdout)["search"]
    given = {"length_offset": 5.0, "min_length": 2, "no_repeat_ngram": 3}
    assert searched.items() >= given.items()


def test_the_table_shows_the_settings_that_are_not_the_models_own(evaluate: Run) -> None:
    changed = evaluate("--bleu", "--beam-size", "2").stdout
    assert re.search(r"^search +beam_size 2 *$", changed, re.MULTILINE)
    every = " ".join(evaluate("--bleu", "--beam-size", "2", "-v").stdout.split())
    assert "beam_size 2 n_best 1 length_penalty 1.0" in every
    assert "own settings" not in evaluate("--perplexity").stdout
    assert json.loads(evaluate("--beam-size", "2", "--json").stdout)["changed"] == ["beam_size"]
    assert json.loads(evaluate("--beam-size", "5", "--json").stdout)["changed"] == []


def test_examples_are_shown_below_the_scores(evaluate: Run) -> None:
    best, *_, worst = evaluate("--examples", "2", "--bleu").stdout.split("chrF2")[1].split("best")
    lines = [" ".join(line.split()) for line in (best + worst).splitlines()]
    for expected in (
        "1 100.00 source a b c d e",
        "reference A B C D E",
        "output A B C D E",
        "reference F G H I X",
        "output F G H I J",
    ):
        assert expected in lines
    assert any(re.fullmatch(r"worst 2 \d\d\.\d\d source f g h i j", line) for line in lines)


def test_a_terminal_gets_three_examples(evaluate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "worst" not in evaluate("--split", "train").stdout
    terminal = types.SimpleNamespace(stdout=types.SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("s2scli.cli.evaluate.sys", terminal)
    shown = evaluate("--split", "train").stdout
    assert re.findall("best|middle|worst", shown) == ["best", "middle", "worst"]
    assert "worst" not in evaluate("--split", "train", "--examples", "0").stdout
    assert "worst" not in evaluate("--perplexity").stdout, "this needs no search"
    assert json.loads(evaluate("--json").stdout)["examples"] == []


def test_examples_are_a_list_in_json(evaluate: Run) -> None:
    best, worst = json.loads(evaluate("--examples", "5", "--json").stdout)["examples"]
    assert best == {
        "rank": "best",
        "number": 1,
        "source": "a b c d e",
        "reference": "A B C D E",
        "output": "A B C D E",
        "chrf": pytest.approx(100.0),
    }
    assert (worst["rank"], worst["number"], worst["output"]) == ("worst", 2, "F G H I J")
    assert 0 < worst["chrf"] < 100


def test_examples_need_outputs_even_without_a_metric_of_them(evaluate: Run) -> None:
    document = json.loads(evaluate("--perplexity", "--examples", "1", "--json").stdout)
    assert [score["name"] for score in document["scores"]] == ["perplexity"]
    assert len(document["examples"]) == 1


def test_examples_of_outputs_have_no_source(tmp_path: Path) -> None:
    (tmp_path / "h").write_text("[red]one[/red] \x1b[2J two\nfive\n")
    (tmp_path / "r").write_text("one two\nfive\n")
    words = ["evaluate", "--hypothesis", str(tmp_path / "h"), "--reference", str(tmp_path / "r")]
    shown = CliRunner().invoke(app, [*words, "--examples", "3"]).stdout
    assert "output      [red]one[/red] ␛[2J two" in shown, "cells are data"
    assert "source" not in shown
    output = tmp_path / "out.TSV"
    result = CliRunner().invoke(app, [*words, "--json", "--examples", "1", "-o", str(output)])
    assert json.loads(result.stdout)["examples"][0]["source"] is None
    first, second = output.read_text(encoding="utf-8").splitlines()
    assert first.startswith("\tone two\t[red]one[/red] ␛[2J two\t")
    assert second == "\tfive\tfive\t100.00"


def test_every_sentence_is_kept_in_a_table(evaluate: Run, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a\u2028b\tc\n\nboom\n", encoding="utf-8")
    (tmp_path / "r").write_text("A B C\nB\nC\x1b\n")
    files = ["--source", str(tmp_path / "s"), "--reference", str(tmp_path / "r")]
    output = tmp_path / "out.tsv"
    assert scores_of(evaluate(*files, "-o", str(output), "--bleu", "--json"))
    rows = [line.split("\t") for line in output.read_text(encoding="utf-8").split("\n")]
    assert rows == [
        ["a b c", "A B C", "A B C", "100.00"],
        ["", "B", "", "0.00"],
        ["boom", "C␛", "", "0.00"],
        [""],
    ]


def test_a_table_is_written_whole_or_not_at_all(evaluate: Run, tmp_path: Path) -> None:
    output = tmp_path / "out.tsv"
    output.write_text("before")
    (tmp_path / "h").write_text("a\nb\n")
    (tmp_path / "r").write_text("a\n")
    files = ["--hypothesis", str(tmp_path / "h"), "--reference", str(tmp_path / "r")]
    assert evaluate(*files, "-o", str(output)).exit_code == 65
    assert output.read_text() == "before"
    assert not [*tmp_path.glob(".tmp-*")]


class TestAlignments:
    """`--aer`: links of a file, or of a real model's attention, against gold links."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        contents = {
            "gold": "1-1 2-2 3p3\n1-2 2-1\n",
            "source": "one two three\nfour five\n",
            "target": "three two one\nfive four\n",
            "links": "0-0 1-1 2-2\nfive four ||| 0-1\n",
        }
        for name, text in contents.items():
            (tmp_path / name).write_text(text)
        return tmp_path

    def test_links_of_a_file_are_scored_without_a_model(self, files: Path, evaluate: Run) -> None:
        words = ["--aer", str(files / "gold"), "--hypothesis", str(files / "links")]
        document = json.loads(evaluate(*words, "--json").stdout)
        (found,) = document["readings"]
        assert found["value"] == pytest.approx(100 * (1 - (3 + 4) / (4 + 4)))
        assert (found["precision"], found["recall"]) == (100.0, 75.0)
        shown = evaluate(*words, "--resamples", "0").stdout
        assert "AER" in shown and "12.50" in shown and "links against gold: 2 pairs" in shown

    def test_a_model_aligns_the_words_of_given_pairs(
        self, files: Path, trained_workspace: Path
    ) -> None:
        words = ["evaluate", "-w", str(trained_workspace), "--aer", str(files / "gold")]
        words += ["--source", str(files / "source"), "--reference", str(files / "target")]
        result = CliRunner().invoke(app, [*words, "--json"])
        assert result.exit_code == 0, result.stderr
        found = json.loads(result.stdout)
        assert (found["pairs"], found["unscored"]) == (2, 0)
        assert [one["reading"] for one in found["readings"]] == [
            "the heads that align best, same step",
            "the heads that align best, one step later",
        ]
        words[words.index(str(files / "target"))] = str(files / "source")
        other = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
        assert other["scored"] == "source and source against gold"

    @pytest.mark.parametrize(
        ("arguments", "status", "message"),
        [
            (["--aer", "gold"], 2, "--aer needs --source FILE and --reference FILE"),
            (["--aer", "gold", "--bleu"], 2, "--aer scores only alignments: leave --bleu out"),
            (["--aer", "gold", "--split", "test"], 2, "leave --split out"),
            (["--aer", "gold", "--diversity"], 2, "leave --diversity out"),
            (["--aer", "gold", "--format", "jsonl"], 2, "leave --input-format out"),
            (["--aer", "gold", "--hypothesis", "links", "-m", "x"], 2, "leave --model out"),
            (["--aer-from", "1"], 2, "--aer-from has no effect without --aer GOLD"),
            (["--aer", "none", "--hypothesis", "links"], 66, "none: no such file"),
            (["--aer", "gold", "--hypothesis", "gold"], 65, "found '3p3', expected links such as"),
            (["--aer", "short", "--hypothesis", "links"], 65, "links has 2 lines but short has 1"),
            (
                ["--aer", "gold", "--source", "source", "--reference", "target", "--aer-from", "0"],
                65,
                "gold, line 1: a link to word 4 of the source and word 4 of the target, which have",
            ),
        ],
    )
    def test_what_cannot_be_scored_is_refused(
        self,
        arguments: list[str],
        status: int,
        message: str,
        files: Path,
        evaluate: Run,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (files / "short").write_text("1-1\n")
        monkeypatch.chdir(files)
        result = evaluate(*arguments)
        assert (result.exit_code, result.stderr.count("\n")) == (status, 1), result.output
        assert message in result.stderr

    @pytest.mark.parametrize("changes", [(), ("model.output.kind=pointer",)])
    def test_a_model_without_an_end_of_sources_or_one_that_copies_aligns_too(
        self, changes: tuple[str, ...], files: Path
    ) -> None:
        tokenizers = letters_of(["one two three "])
        if not changes:
            endless = replace(tokenizers.texts[0], ends=False)
            tokenizers = replace(tokenizers, source=endless, joint=False)
        folder = write_model(files / "m", tokenizers, *changes, scale=3.0)
        (files / "source").write_text("one twxyo three\nfxyour xyz\n")
        (files / "target").write_text("thxyree two one\nfyxve four\n")
        words = ["evaluate", "--aer", str(files / "gold"), "-m", str(folder), "--json"]
        words += ["--source", str(files / "source"), "--reference", str(files / "target")]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["unscored"] == 0

    def test_a_model_without_attention_is_refused(
        self, files: Path, evaluate: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = stub.StubEngine(attention_shape=None)
        module = stub.stub_module(lambda: stub.stub_translator(engine))
        monkeypatch.setitem(sys.modules, stub.MODULE, module)
        words = ["--source", str(files / "source"), "--reference", str(files / "target")]
        result = evaluate("--aer", str(files / "gold"), *words)
        assert result.exit_code == 2
        assert "--aer needs a model with attention" in result.stderr
