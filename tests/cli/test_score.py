"""`s2s score`: one record for each line, by a stub that likes shouting, and by real models."""

import dataclasses
import gzip
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.data.codecs.text import TextCodec
from s2scli.data.store import Corpus
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.folders import letters_of, write_model
from tests.translation import stub

Run = Callable[..., Result]

posix = pytest.mark.skipif(os.name == "nt", reason="pipes and signals of POSIX")
HIT, MISS = math.log(0.5), math.log(0.125)


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch, stub_model: Path) -> Run:
    monkeypatch.setitem(sys.modules, stub.MODULE, stub.stub_module())

    def run(*arguments: str, given: bytes | str = b"") -> Result:
        words = ["score", "-m", str(stub_model), *arguments]
        return CliRunner().invoke(app, words, input=given)

    return run


SLOW_FIXTURE = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LINES = (b"\n", b"a\tA\n", b"a b\tA\n", b"\ta\n", b"a\n", b"a\tb\tc\n", b"\xff\t\xff\n", b"\t\n")


@SLOW_FIXTURE
@given(data=st.lists(st.binary() | st.sampled_from(LINES)))
def test_every_line_has_its_record_in_order(score: Run, data: list[bytes]) -> None:
    given_bytes = b"".join(data)
    assume(not given_bytes.startswith(b"\x1f\x8b"))  # that would be gzip
    lines = given_bytes.split(b"\n")
    if not lines[-1]:
        lines.pop()
    result = score("--window", "3", given=given_bytes)
    assert result.exit_code in (0, 3), result.stderr
    out = result.stdout.split("\n")
    assert out.pop() == ""
    assert len(out) == len(lines)
    for line, shown in zip(lines, out, strict=True):
        if line == b"a\tA":
            assert shown == f"{2 * HIT:.4f}"
        elif line.count(b"\t") != 1 or line == b"a b\tA":
            assert shown == ""
        assert shown == "" or float(shown) < 0


@pytest.mark.parametrize("flag", ["--length-penalty", "--lenpen", "--normalize"])
def test_a_length_penalty_divides_by_tokens(score: Run, flag: str) -> None:
    given = b"a b\tA b\n"
    assert score(flag, "1", given=given).stdout == f"{(2 * HIT + MISS) / 3:.4f}\n"
    assert score(flag, "0.5", given=given).stdout == f"{(2 * HIT + MISS) / math.sqrt(3):.4f}\n"


def test_tokens_stand_beside_their_log_probabilities(score: Run) -> None:
    out = score("--tokens", given=b"a b\tA b\n\tA\n").stdout
    scores = f"{HIT:.4f} {MISS:.4f} {HIT:.4f}"
    assert out == f"{2 * HIT + MISS:.4f}\tA b </s>\t{scores}\n\t\t\n"


def test_json_lines(score: Run) -> None:
    given = b"a b\tA b\n\tb\nno tab\xff\na \xe2\x80\xa8\tA\n"
    result = score("--json", "--normalize", "1", given=given)
    first, empty, failed, separated = (json.loads(line) for line in result.stdout.splitlines())
    assert first == {
        "line": 1,
        "status": "ok",
        "source": "a b",
        "target": "A b",
        "score": round((2 * HIT + MISS) / 3, 6),
        "log_prob": round(2 * HIT + MISS, 6),
        "tokens": ["A", "b", "</s>"],
        "token_scores": [round(HIT, 6), round(MISS, 6), round(HIT, 6)],
    }
    assert (empty["line"], empty["status"], empty["score"]) == (2, "empty", None)
    assert (failed["status"], failed["log_prob"], failed["tokens"]) == ("failed", None, [])
    assert failed["fault"].startswith("no TAB")
    assert separated["source"] == "a \u2028"
    assert result.exit_code == 3


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"no tab", "no TAB, expected source TAB target; to join two files: paste SOURCES TARGETS"),
        (b"a	b	c", "3 columns, expected source TAB target; select two: cut -f 1,2"),
        (
            b"a b c d e f g h i	a",
            "too long: the source has 9 tokens, the model accepts at most 8",
        ),
        (
            b"a	a b c d e f g h i",
            "too long: the target has 9 tokens, the model accepts at most 8",
        ),
        (b"a b\tA", "ValueError: "),
    ],
)
def test_a_line_that_fails_is_empty_and_told(score: Run, line: bytes, fault: str) -> None:
    result = score(given=b"a\tA\n" + line + b"\nb\tB\n")
    assert (result.exit_code, result.stdout) == (3, f"{2 * HIT:.4f}\n\n{2 * HIT:.4f}\n")
    assert f"stdin, line 2: not scored ({fault}" in result.stderr
    assert "not scored, written as empty lines: 1 line (stdin: 2)" in result.stderr


def test_a_line_without_end_fails(score: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2scli.data.stream.LINE_BYTES", 5)
    result = score(given=b"a\tA\na\tAbcdefg\n")
    assert (result.exit_code, result.stdout) == (3, f"{2 * HIT:.4f}\n\n")
    assert "stdin, line 2: not scored (longer than" in result.stderr


def test_of_many_failures_the_first_are_explained(score: Run) -> None:
    result = score(given=b"x\n" * 5000)
    assert (result.exit_code, result.stdout) == (3, "\n" * 5000)
    assert result.stderr.count("(no TAB") == 10
    assert "5,000 lines (stdin: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10; and 4,990 more)" in result.stderr


def test_blank_lines_are_no_failure(score: Run) -> None:
    result = score(given="\n \t\n\u200b\n\tA\n".encode())
    assert (result.exit_code, result.stdout, result.stderr) == (0, "\n\n\n\n", "")


def test_bad_bytes_are_replaced_and_told_once_or_refused(score: Run) -> None:
    given = b"a\tA\nb\tB\nc\t\xff\n"
    result = score(given=given)
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 3
    assert "invalid UTF-8, replaced with U+FFFD: 1 line (stdin: 3)" in result.stderr
    strict = score("--strict", given=given)
    assert (strict.exit_code, strict.stdout) == (65, f"{2 * HIT:.4f}\n" * 2)
    assert strict.stderr == "error: stdin, line 3, byte 3: not UTF-8\n"


def test_text_the_tokenizer_does_not_know_is_told(score: Run) -> None:
    told = score(given="what‽\twhat‽\n".encode()).stderr
    assert "50.0 % of the target tokens are unknown to the model" in told


def test_a_sentence_alone_is_source_and_target(score: Run) -> None:
    result = score("--one-column", given=b"A\n\nb B\nA\tA\n")
    assert result.stdout == f"{2 * HIT:.4f}\n\n{2 * HIT + MISS:.4f}\n\n"
    assert "stdin, line 4: not scored (2 columns, expected one sentence)" in result.stderr


def test_files_follow_each_other_into_a_file(score: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\tA")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"a b\tA B\n"))
    names = [str(tmp_path / "a"), "-", str(tmp_path / "b.gz")]
    out = tmp_path / "out"
    result = score(*names, "-o", str(out), given=b"a\tb\n")
    assert (result.exit_code, result.stdout) == (0, "")
    assert out.read_text() == f"{2 * HIT:.4f}\n{HIT + MISS:.4f}\n{3 * HIT:.4f}\n"
    assert score("-o", str(out), "--strict", given=b"\xff\n").exit_code == 65
    assert out.read_text().count("\n") == 3, "what was there stays"


def test_the_summary_counts_the_end_of_every_target(score: Run) -> None:
    result = score("--summary", "--json", given=b"a  b\t A  b \n\nx\n a\tA\n")
    nats = 4 * HIT + MISS
    document = json.loads(result.stdout)
    assert [document[name] for name in ("sentences", "empty", "failed")] == [2, 1, 1]
    assert document["log_prob"] == pytest.approx(nats)
    counts = {"token": 5, "character": len("A b\nA\n"), "word": 5, "sentence": 2}
    assert {name: unit["count"] for name, unit in document["per"].items()} == counts
    for name, count in counts.items():
        unit = document["per"][name]
        assert unit["log_prob"] == pytest.approx(nats / count)
        assert unit["perplexity"] == pytest.approx(math.exp(-nats / count))
        assert 2 ** unit["bits"] == pytest.approx(unit["perplexity"])
    assert result.exit_code == 3
    table = score("--summary", given=b"a\tA\n").stdout
    assert table.split() == [
        *("per", "count", "log-probability", "bits", "perplexity", "─" * table.count("─")),
        *("token", "2", f"{HIT:.4f}", "1.0000", "2"),
        *("character", "2", f"{HIT:.4f}", "1.0000", "2"),
        *("word", "2", f"{HIT:.4f}", "1.0000", "2"),
        *("sentence", "1", f"{2 * HIT:.4f}", "2.0000", "4"),
        *("all", f"{2 * HIT:.4f}"),
    ]


def test_verbose_tells_the_perplexity_beside_the_lines(score: Run) -> None:
    result = score("-v", given=b"a\tA\n")
    assert result.stdout == f"{2 * HIT:.4f}\n"
    assert "2 target tokens, perplexity 2.0000 per token" in result.stderr
    assert "1 lines in 0." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--tokens", "--json"], 2, "--json shows the tokens already: leave --tokens out"),
        (["--tokens", "--summary"], 2, "--summary writes no lines: leave --tokens out"),
        (["--lenpen", "1", "--summary"], 2, "--length-penalty has no effect with --summary"),
        (["-o", "out", "--summary"], 2, "--output has no effect with --summary"),
        (["--lenpen", "-1"], 2, "error: --length-penalty: input should be greater"),
        (["--window", "0"], 2, "error: --window: input should be greater"),
        (["pairs.tsv"], 66, "pairs.tsv: no such file; to score a pair: printf 'SOURCE\\tTARGET"),
        (["."], 65, "is a directory"),
        (["--summary"], 65, "error: no pair to score in 0 lines"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    score: Run, arguments: list[str], status: int, message: str
) -> None:
    result = score(*arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


# as a process


@pytest.fixture
def process(stub_model: Path) -> subprocess.Popen[bytes]:
    root = str(Path(stub.__file__).parents[2])
    words = [sys.executable, stub.__file__, "score", "-m", str(stub_model)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        words, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, "PYTHONPATH": root}
    )


def ask(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    assert process.stdin and process.stdout
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline()


@posix
def test_a_line_is_answered_while_stdin_stays_open_and_ctrl_c_ends_it(
    process: subprocess.Popen[bytes],
) -> None:
    import signal

    with process:
        assert ask(process, b"warm\tup\n")
        started = time.monotonic()
        assert ask(process, b"a\tA\n") == f"{2 * HIT:.4f}\n".encode()
        assert time.monotonic() - started < 2
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr and process.stderr.read() == b"interrupted\n"


@posix
def test_a_closed_pipe_ends_it_quietly(process: subprocess.Popen[bytes]) -> None:
    with process:
        assert ask(process, b"a\tA\n")
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        process.stdin.write(b"a\tA\n")
        process.stdin.flush()
        assert process.wait(10) == 141
        assert process.stderr.read() == b""


# with a real model

PAIRS = [
    "one two three\tthree two one",
    "one\tseven",
    "six seven\t",
    "two two\ttwo one two one two one",
    "five\tfour three",
]


@pytest.fixture
def real(trained_workspace: Path) -> Run:
    def run(*arguments: str, given: str) -> Result:
        words = ["score", "-w", str(trained_workspace), "--device", "cpu", *arguments]
        result = CliRunner().invoke(app, words, input=given)
        assert result.exit_code == 0, result.output
        return result

    return run


def scores_of(result: Result) -> list[float]:
    return [float(line) for line in result.stdout.splitlines()]


def test_windows_order_and_company_change_nothing(real: Run) -> None:
    whole = scores_of(real(given="\n".join(PAIRS)))
    assert scores_of(real("--window", "1", given="\n".join(PAIRS))) == pytest.approx(
        whole, abs=1e-4
    )
    turned = scores_of(real("--window", "2", given="\n".join(PAIRS[::-1])))
    assert turned[::-1] == pytest.approx(whole, abs=1e-4)


def test_the_score_of_a_translation_is_the_one_it_was_given(
    real: Run, trained_workspace: Path, tmp_path: Path
) -> None:
    model = trained_workspace / "model"
    lstm = 'model.decoder.kind="lstm"'
    other = write_model(tmp_path / "m", Tokenizers.load(trained_workspace / "tokenizer"), lstm)
    sources = ["one two three", "seven", "six seven one two", "four"]
    for flags in ([], ["-m", str(model), "-m", str(other)]):
        words = ["translate", "-w", str(trained_workspace), "--device", "cpu", "--json", *flags]
        given = "\n".join(sources)
        translated = CliRunner().invoke(app, words, input=given).stdout.splitlines()
        best = [json.loads(line)["hypotheses"][0] for line in translated]
        pairs = [f"{a}\t{b['text']}" for a, b in zip(sources, best, strict=True)]
        scored = real("--json", "--normalize", "1", *flags, given="\n".join(pairs))
        same = 0
        for line, found in zip(scored.stdout.splitlines(), best, strict=True):
            document = json.loads(line)
            if document["tokens"] == found["tokens"]:  # else the text is cut otherwise again
                same += 1
                assert document["score"] == pytest.approx(found["score"], abs=1e-4)
        assert same


def test_an_ensemble_has_the_mean_probability_at_every_step(
    real: Run, trained_workspace: Path, tmp_path: Path
) -> None:
    tokenizers = Tokenizers.load(trained_workspace / "tokenizer")
    folders = [
        write_model(tmp_path / name, tokenizers, seed=seed) for seed, name in enumerate("ab")
    ]

    def token_scores(*models: Path) -> list[float]:
        flags = [word for folder in models for word in ("-m", str(folder))]
        document = json.loads(real("--json", *flags, given=PAIRS[0]).stdout)
        return [math.exp(score) for score in document["token_scores"]]

    first, second = (token_scores(folder) for folder in folders)
    means = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    assert token_scores(*folders) == pytest.approx(means, rel=1e-4)
    assert token_scores(folders[0], folders[0]) == pytest.approx(first, rel=1e-4)


@pytest.fixture
def valid(trained_workspace: Path) -> list[tuple[str, str]]:
    """The pairs of the validation split."""
    split = Corpus.load(trained_workspace / "corpus").open_split("valid")
    return [*zip(split.sources(), split.targets(), strict=True)]


def perplexity_of(real: Run, pairs: list[tuple[str, str]]) -> dict[str, float]:
    given = "".join(f"{source}\t{target}\n" for source, target in pairs)
    document = json.loads(real("--summary", "--json", given=given).stdout)
    return dict(document["per"]["token"])


def test_the_perplexity_is_that_of_validation(
    real: Run, trained_workspace: Path, valid: list[tuple[str, str]]
) -> None:
    from s2scli.pipeline.validation import Validator
    from s2scli.translation.model_folder import load_model_folder
    from s2scli.workspace import Workspace
    from tests.training.runs import make_run, training_settings

    run = make_run(training_settings(label_smoothing=0.0))
    loaded = load_model_folder(trained_workspace / "model", run.device)
    run = dataclasses.replace(run, model=loaded.model)
    workspace = Workspace(trained_workspace)
    corpus = Corpus.load(workspace.corpus)
    said = Validator.prepare(workspace, corpus, run, loaded.recipe, loaded.tokenizers)()
    found = perplexity_of(real, valid)
    assert found["perplexity"] == pytest.approx(said["perplexity"], rel=1e-5)
    assert -found["log_prob"] == pytest.approx(said["loss"], rel=1e-5)


def test_the_perplexity_is_that_of_the_run_and_of_evaluate(
    real: Run, trained_workspace: Path, valid: list[tuple[str, str]]
) -> None:
    found = perplexity_of(real, valid)["perplexity"]
    log = (trained_workspace / "training" / "metrics.jsonl").read_text().splitlines()
    best = [row["scores"] for row in map(json.loads, log) if row.get("best")][-1]
    assert found == pytest.approx(best["perplexity"], rel=1e-2), "which may reckon in bfloat16"
    words = ["evaluate", "-w", str(trained_workspace), "--split", "valid", "--perplexity", "--json"]
    (evaluated,) = json.loads(CliRunner().invoke(app, [*words, "--device", "cpu"]).stdout)["scores"]
    assert found == pytest.approx(evaluated["value"], rel=1e-6)


STACK = 'kind="transformer", model_dim=8, num_layers=1, num_heads=2, ffn_dim=8'
LATENT = 'model.connection={kind="latent", latent_dim=4}'


@pytest.mark.parametrize(
    "changes",
    [
        ('model.encoder.kind="elman"', 'model.decoder.kind="elman"'),
        ('model.decoder.kind="lstm"', 'model.attention={kind="none"}'),
        (
            f"model.encoder={{{STACK}}}",
            f"model.decoder={{{STACK}}}",
            'model.attention={kind="multi_head", num_heads=2}',
            'model.connection={kind="none"}',
        ),
        ('model.attention={kind="none"}', LATENT),
    ],
    ids=["elman", "no-attention", "transformer", "latent"],
)
def test_models_of_every_kind_agree_with_their_steps(
    trained_workspace: Path, tmp_path: Path, changes: tuple[str, ...]
) -> None:
    import torch

    from s2scli.data.batch import make_batch
    from s2scli.translation.model_folder import load_model_folder
    from tests.search.test_forced import step_by_step

    tokenizers = Tokenizers.load(trained_workspace / "tokenizer")
    folder = write_model(tmp_path / "m", tokenizers, *changes)
    words = ["score", "-m", str(folder), "--device", "cpu", "--json"]
    result = CliRunner().invoke(app, words, input="\n".join(PAIRS))
    assert result.exit_code == 0, result.output
    assert ("q(z | source)" in result.stderr) == (LATENT in changes)
    model = load_model_folder(folder, torch.device("cpu")).model
    codec = TextCodec(tokenizers.texts[0])
    for line, pair in zip(result.stdout.splitlines(), PAIRS, strict=True):
        source, target = (codec.encode(side) for side in pair.split("\t"))
        with torch.inference_mode():
            (expected,) = step_by_step(model, make_batch([source], [target]))
        assert json.loads(line)["token_scores"] == pytest.approx(expected, abs=1e-4)


def test_models_of_other_tokenizers_do_not_score_together(
    trained_workspace: Path, tmp_path: Path
) -> None:
    stranger = write_model(tmp_path / "stranger", letters_of(["one two three"] * 9))
    words = ["score", "-m", str(trained_workspace / "model"), "-m", str(stranger)]
    result = CliRunner().invoke(app, words, input=PAIRS[0])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)


def test_without_a_model_it_says_how_to_get_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["score", "-w", str(tmp_path)], input="a\tb\n")
    assert result.exit_code == 66
    assert f"{tmp_path}/model: no model here; make one: s2s train -w {tmp_path}" in result.stderr
