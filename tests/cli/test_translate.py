"""`s2s translate`: one record for each line, whatever happens, by a translator that shouts."""

import gzip
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.data.cleaning import is_blank
from s2scli.data.codecs.text import one_line
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.folders import letters_of, write_model
from tests.translation import stub

Run = Callable[..., Result]

posix = pytest.mark.skipif(os.name == "nt", reason="pipes and devices of POSIX")


@pytest.fixture
def translate(monkeypatch: pytest.MonkeyPatch, stub_model: Path) -> Run:
    monkeypatch.setitem(sys.modules, stub.MODULE, stub.stub_module())

    def run(*arguments: str, given: bytes | str = b"") -> Result:
        words = ["translate", "-m", str(stub_model), *arguments]
        return CliRunner().invoke(app, words, input=given)

    return run


SLOW_FIXTURE = settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@SLOW_FIXTURE
@given(data=st.lists(st.binary() | st.sampled_from([b"\n", b"a\n", b"boom\n", b"\xff\n"])))
def test_every_line_has_its_record_in_order(translate: Run, data: list[bytes]) -> None:
    given_bytes = b"".join(data)
    assume(not given_bytes.startswith(b"\x1f\x8b"))  # that would be gzip
    pieces = given_bytes.split(b"\n")
    if not pieces[-1]:
        pieces.pop()
    result = translate("--window", "3", given=given_bytes)
    failed = any(b"boom" in piece for piece in pieces)
    assert result.exit_code == (3 if failed else 0), result.stderr
    out = result.stdout_bytes.decode().split("\n")
    assert out.pop() == ""
    assert len(out) == len(pieces)
    for number, (piece, shown) in enumerate(zip(pieces, out, strict=True)):
        raw = piece.removesuffix(b"\r")
        text = (raw.removeprefix(b"\xef\xbb\xbf") if number == 0 else raw).decode(errors="replace")
        if len(text.split()) <= 8:  # longer ones are split, which changes white space
            expected = text.upper() if not is_blank(text) and "boom" not in text else ""
            assert shown == one_line(expected)


@pytest.mark.parametrize(
    ("given_bytes", "expected"),
    [
        (b"", b""),
        (b"\n", b"\n"),
        (b"a", b"A\n"),
        (b"a\n\n  \nb\n", b"A\n\n\nB\n"),
        ("\u200b\n\ufeff\u2060\n".encode(), b"\n\n"),
        (b"a\r\nb\r", b"A\nB\n"),
        (b"\xef\xbb\xbfa\n", b"A\n"),
        ("ä\u2028ö\n".encode(), "Ä Ö\n".encode()),
    ],
)
def test_lines(translate: Run, given_bytes: bytes, expected: bytes) -> None:
    result = translate(given=given_bytes)
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, expected, "")


def test_files_follow_each_other(translate: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"two\n"))
    names = [str(tmp_path / "a"), "-", str(tmp_path / "b.gz")]
    assert translate(*names, given=b"between\n").stdout == "ONE\nBETWEEN\nTWO\n"
    listed = translate(*names, "--nbest", "1", given=b"between\n").stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["0", "1", "2"]


def test_bad_bytes_are_replaced_and_told_once(translate: Run) -> None:
    result = translate(given=b"a\nb\xff\nc\n\xfe\xfe\n")
    assert result.exit_code == 0
    assert result.stdout == "A\nB\ufffd\nC\n\ufffd\ufffd\n"
    assert result.stderr.count("\n") == 1
    assert "invalid UTF-8, replaced with U+FFFD: 2 lines (stdin: 2, 4)" in result.stderr
    assert "2 lines (stdin: 2, 4)" in result.stderr


def test_of_many_odd_lines_the_first_are_named(translate: Run) -> None:
    result = translate(given=b"\xff\n" * 12)
    assert "12 lines (stdin: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10; and 2 more)" in result.stderr


def test_odd_lines_are_named_by_file(translate: Run, tmp_path: Path) -> None:
    for name in ("f", "g"):
        (tmp_path / name).write_bytes(b"\n\xff\n")
    result = translate(str(tmp_path / "f"), str(tmp_path / "g"))
    assert f"2 lines ({tmp_path}/f: 2; {tmp_path}/g: 2)" in result.stderr


def test_strict_refuses_bad_bytes(translate: Run) -> None:
    result = translate("--strict", given=b"a\nbc\xff\n")
    assert result.exit_code == 65
    assert result.stderr == "error: stdin, line 2, byte 3: not UTF-8\n"


LONG = b"a b c d. e f g h i j\n"


@pytest.mark.parametrize(
    ("choice", "out", "told"),
    [
        ("split", "A B C D. E F G H I J\n", "translated in parts: 1 line (stdin: 1)"),
        ("truncate", "A B C D. E F G H\n", "truncated: 1 line (stdin: 1)"),
        ("empty", "\n", "left out: 1 line (stdin: 1)"),
    ],
)
def test_overlong_lines(translate: Run, choice: str, out: str, told: str) -> None:
    result = translate("--overlong", choice, given=LONG)
    assert (result.exit_code, result.stdout) == (0, out)
    assert told in result.stderr


def test_overlong_lines_are_refused_where_asked(translate: Run) -> None:
    result = translate("--overlong", "error", given=b"a\n" + LONG)
    assert result.exit_code == 65
    assert "stdin, line 2: too long" in result.stderr


def test_a_line_that_fails_is_empty_and_told(translate: Run) -> None:
    result = translate(given=b"a\nboom\nb\n")
    assert (result.exit_code, result.stdout) == (3, "A\n\nB\n")
    assert "stdin, line 2: not translated (RuntimeError: the network fell over)" in result.stderr


def test_json_lines(translate: Run) -> None:
    result = translate("--json", "--nbest", "2", given=b"a b\n\nboom\n")
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert [document["line"] for document in documents] == [1, 2, 3]
    assert [document["status"] for document in documents] == ["ok", "empty", "failed"]
    assert documents[0]["hypotheses"][1]["alignment"] == "0-0 1-1 2-2"


def test_scores(translate: Run) -> None:
    assert translate("--scores", given=b"a\n\n").stdout == "-0.5000\tA\n0.0000\t\n"


def test_n_best(translate: Run) -> None:
    out = translate("--n-best", "2", given=b"a\n").stdout
    assert out == "0 ||| A ||| -0.5000\n0 ||| A! ||| -1.0000\n"


def test_alignments(translate: Run) -> None:
    given = b"a\n\nboom\n"
    result = translate("--alignment", given=given)
    assert (result.exit_code, result.stdout) == (3, "A ||| 0-0\n ||| \n ||| \n")
    listed = translate("--alignment", "--nbest", "2", given=b"a\n").stdout
    assert listed == "0 ||| A ||| -0.5000 ||| 0-0\n0 ||| A! ||| -1.0000 ||| 0-0\n"
    scored = translate("--alignment", "--scores", "--alignment-threshold", "1", given=b"a\n")
    assert scored.stdout == "-0.5000\tA ||| 0-0\n"


def test_a_model_that_attends_to_nothing_has_no_alignment(
    translate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = stub.stub_module(lambda: stub.stub_translator(stub.StubEngine(attention_shape=None)))
    monkeypatch.setitem(sys.modules, stub.MODULE, blind)
    result = translate("--alignment", given=b"a\n")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "--alignment needs attention" in result.stderr
    assert translate(given=b"a\n").stdout == "A\n"


@pytest.mark.parametrize("words", [(), ("--scores",), ("--nbest", "2")])
def test_no_control_character_reaches_a_pipe(translate: Run, words: tuple[str, ...]) -> None:
    shown = translate(*words, given="\x1b[1m\x9b\x7fa\n".encode()).stdout
    assert "␛[1M\ufffd␡A" in shown
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--nbest", "6"], 2, "error: --n-best 6 must not be more than --beam-size 5"),
        (["--beam-size", "0"], 2, "error: --beam-size: input should be greater"),
        (["--overlong", "drop"], 2, "error: --overlong: input should be"),
        (["--window", "0"], 2, "error: --window: input should be greater"),
        (["--scores", "--json"], 2, "--json shows the scores already"),
        (["--alignment", "--json"], 2, "--json shows the alignment already"),
        (
            ["--alignment-threshold", "0.5"],
            2,
            "--alignment-threshold has no effect without --alignment",
        ),
        (["--scores", "--nbest", "2"], 2, "--nbest shows the scores already"),
        (["--top-k", "5"], 2, "--top-k has no effect without --sample"),
        (["--seed", "5"], 2, "--seed has no effect without --sample"),
        (["--sample", "--beam-size", "5"], 2, "--beam-size has no effect with --sample"),
        (["--sample", "--temperature", "0"], 2, "error: --temperature: input should be greater"),
        (["--sample", "--top-p", "1.5"], 2, "error: --top-p: input should be less"),
        (["--min-length", "9", "--max-length", "8"], 2, "--min-length 9 is more than --max-length"),
        (["--no-repeat-ngram", "-1"], 2, "error: --no-repeat-ngram: input should be greater"),
        (["a.txt"], 66, 'a.txt: no such file; to translate a sentence: echo "..." | s2s translate'),
        (["."], 65, "is a directory"),
        (["--resume"], 2, "--resume continues an output file of text or JSON: add -o FILE"),
        (["--resume", "-o", "-"], 2, "--resume continues an output file of text or JSON"),
        (["--resume", "-o", "x", "-f", "srt"], 2, "--resume continues an output file of text"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    translate: Run, arguments: list[str], status: int, message: str
) -> None:
    result = translate(*arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_without_a_model_it_says_how_to_get_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["translate", "-w", str(tmp_path)], input="a\n")
    assert result.exit_code == 66
    assert f"{tmp_path}/model: no model here; make one: s2s train -w {tmp_path}" in result.stderr
    result = CliRunner().invoke(app, ["translate", "-m", str(tmp_path / "m")], input="a\n")
    assert result.exit_code == 66
    assert "expected a model folder, as `s2s train`" in result.stderr


def test_a_workspace_for_a_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text("{}")
    result = CliRunner().invoke(app, ["translate", "-m", str(tmp_path)], input="a\n")
    assert result.exit_code == 66
    assert f"{tmp_path}: no model here (it has no manifest.json)" in result.stderr
    assert f"; did you mean {tmp_path / 'model'}?" in result.stderr


def test_a_file_for_a_workspace_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["translate", "-w", str(tmp_path / "file")], input="a\n")
    assert result.exit_code == 2
    assert result.stderr == f"error: {tmp_path}/file: is a file, expected a folder\n"


def test_good_lines_come_before_the_error(translate: Run) -> None:
    result = translate("--strict", given=b"a\nb\n\xff\nc\n")
    assert (result.exit_code, result.stdout) == (65, "A\nB\n")


def test_an_output_file_appears_when_it_is_whole(translate: Run, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("before")
    assert translate("-o", str(path), "--strict", given=b"a\n\xff\n").exit_code == 65
    assert path.read_text() == "before"
    result = translate("-o", str(path), given=b"a\nb\n")
    assert (result.exit_code, result.stdout, path.read_text()) == (0, "", "A\nB\n")
    assert translate("-o", "-", given=b"a\n").stdout == "A\n"
    assert [file.name for file in tmp_path.iterdir()] == ["out.txt"]


RESUMED = ("--window", "2", "--max-wait", "60000", "--strict", "--resume")


@pytest.mark.parametrize("shape", [(), ("--scores",), ("--nbest", "2"), ("--json",)])
def test_an_interrupted_output_is_continued_by_the_same_command(
    translate: Run, tmp_path: Path, shape: tuple[str, ...]
) -> None:
    path, text = tmp_path / "out", b"a\nb\nc\nboom\ne\nf\n"
    arguments = ("-o", str(path), *RESUMED, *shape)
    first = translate(*arguments, given=text[:-2] + b"\xff\n")
    assert first.exit_code == 65 and not path.exists()
    assert f"{path}.part keeps the first 5 lines; the same command with --resume" in first.stderr
    for other in (("--beam-size", "4"), ("--length-penalty", "0.5"), ("--overlong", "empty")):
        refused = translate(*arguments, *other, given=text)
        assert refused.exit_code == 78
        assert "it was made with other options: " in refused.stderr
    refused = translate(*arguments, given=text.replace(b"b", b"B"))
    assert (refused.exit_code, "it was made from other lines" in refused.stderr) == (78, True)
    again = translate(*arguments, given=text)
    assert again.exit_code == 3, "a line failed before"
    assert "resuming after line 5" in again.stderr
    whole = translate(*RESUMED[:-1], *shape, given=text)
    assert path.read_bytes() == whole.stdout_bytes
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_another_format_or_model_is_not_continued(
    translate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    arguments = ("-o", str(path), *RESUMED)
    assert translate(*arguments, given=b"a\n\xff\n").exit_code == 65
    for shape in (("--scores",), ("--nbest", "1"), ("--json",), ("--alignment",)):
        refused = translate(*arguments, *shape, given=b"a\nb\n")
        assert (refused.exit_code, "format: text -> " in refused.stderr) == (78, True)
    other = stub.stub_module(lambda: replace(stub.stub_translator(), identity=("another",)))
    monkeypatch.setitem(sys.modules, stub.MODULE, other)
    refused = translate(*arguments, given=b"a\nb\n")
    assert (refused.exit_code, "another model made it" in refused.stderr) == (78, True)


@posix
def test_a_pipe_for_an_output_stays_a_pipe(translate: Run, tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", str(fifo)], stdout=subprocess.PIPE) as reader:
        assert translate("-o", str(fifo), given=b"a\n").exit_code == 0
        assert reader.stdout and reader.stdout.read() == b"A\n"
    assert fifo.is_fifo()


def test_an_output_that_cannot_be_written_is_told(translate: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = translate("-o", str(tmp_path / "file" / "out"), given=b"a\n")
    assert result.exit_code == 74
    assert "cannot write" in result.stderr
    result = translate("-o", str(tmp_path / "none" / "out"), given=b"a\n")
    assert (result.exit_code, result.stderr.count("\n")) == (74, 1)
    assert not (tmp_path / "none").exists()


def test_text_the_tokenizer_does_not_know_is_told(translate: Run) -> None:
    known = b"a b c d\n" * 50
    assert translate(given=known + "what‽\n".encode()).stderr == ""
    told = translate(given=known + "what‽ is‽ that‽\n".encode()).stderr
    assert "1.2 % of the source tokens are unknown to the model" in told


def test_verbose_tells_the_speed(translate: Run) -> None:
    assert "2 lines in 0." in translate("-v", given=b"a\nb\n").stderr


# as a process


@pytest.fixture
def command(stub_model: Path) -> list[str]:
    return [sys.executable, stub.__file__, "translate", "-m", str(stub_model)]


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    root = str(Path(stub.__file__).parents[2])
    yield {**os.environ, "PYTHONPATH": root}


def test_a_line_is_answered_while_stdin_stays_open(
    command: list[str], environment: dict[str, str]
) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b"warm up\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"WARM UP\n"
        started = time.monotonic()
        process.stdin.write(b"one\ntwo")
        process.stdin.flush()
        assert process.stdout.readline() == b"ONE\n"
        assert time.monotonic() - started < 2
        process.stdin.close()
        assert process.stdout.read() == b"TWO\n"
        assert process.wait(10) == 0


@posix
def test_a_closed_pipe_ends_it_quietly(command: list[str], environment: dict[str, str]) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*command, "--window", "1"], stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"one\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ONE\n"
        process.stdout.close()
        process.stdin.write(b"two\n")
        process.stdin.flush()
        assert process.wait(10) == 141
        assert process.stderr.read() == b""


@posix
def test_a_full_disk_is_told_in_one_line(command: list[str], environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command, input=b"a\n", stdout=full, stderr=subprocess.PIPE, env=environment, timeout=30
        )
    assert result.returncode == 74
    assert result.stderr == b"error: cannot write stdout: No space left on device\n"


def test_the_locale_changes_no_byte(command: list[str], environment: dict[str, str]) -> None:
    given_bytes = "größer 犬 \U0001f600\n\n".encode()
    outputs = [
        subprocess.run(
            command,
            input=given_bytes,
            stdout=subprocess.PIPE,
            env={**environment, **locale},
            timeout=30,
            check=True,
        ).stdout
        for locale in ({"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "C.UTF-8"})
    ]
    assert outputs == ["GRÖSSER 犬 \U0001f600\n\n".encode()] * 2


@posix
def test_a_closed_stdin_is_an_empty_one(command: list[str], environment: dict[str, str]) -> None:
    closing = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    result = subprocess.run(closing, capture_output=True, env=environment, timeout=30)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


@posix
def test_ctrl_c_ends_it_with_one_word(command: list[str], environment: dict[str, str]) -> None:
    import signal

    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"one\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ONE\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == b"interrupted\n"


@posix
def test_on_a_terminal_it_asks_and_spells_out_control_characters(
    command: list[str], environment: dict[str, str]
) -> None:
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        seen = b""
        while not seen.endswith(b"> "):
            seen += os.read(ours, 1000)
        assert b"reading from the terminal, Ctrl-D ends" in seen
        os.write(ours, b"a\x1b[b\n")
        while seen.count(b"> ") < 2:
            seen += os.read(ours, 1000)
        assert "A␛[B\r\n".encode() in seen
        os.write(ours, b"\x04")
        assert process.wait(10) == 0
    os.close(ours)


# with a real model


@pytest.fixture
def real(trained_workspace: Path) -> Run:
    def run(*arguments: str, given: bytes | str = b"") -> Result:
        words = ["translate", "-w", str(trained_workspace), "--device", "cpu", *arguments]
        return CliRunner().invoke(app, words, input=given)

    return run


NASTY = (
    "\ufeffone two\r\n\n \t\u3000\nthree\u2028four\x85five\n" + "six seven " * 300 + "\n<s> </s>\n"
    "\x00\x1b[1m\n\ufffe犬\U0001f600\u0301\n\u200b\n"
).encode() + b"\xff\xfe one\nlast"


def test_the_search_is_as_asked(real: Run) -> None:
    def tokens(*arguments: str) -> int:
        document = json.loads(real(*arguments, "--json", given="one two three\n").stdout)
        return len(document["hypotheses"][0]["tokens"])

    assert tokens("--max-length", "2") <= 2 < tokens("--lenpen", "2", "--max-length-ratio", "3")


def hypotheses(result: Result) -> list[tuple[str, ...]]:
    """The tokens of every hypothesis of every line."""
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [tuple(found["tokens"]) for line in lines for found in line["hypotheses"]]


def test_outputs_have_the_length_asked_for_and_nothing_twice(real: Run) -> None:
    lines = "one two three\nsix\n"
    shortest = hypotheses(real("--min-length", "6", "--json", given=lines))
    assert all(len(tokens) >= 6 for tokens in shortest)
    asked = ("--min-length", "8", "--max-length", "12", "--no-repeat-ngram", "2", "--json")
    for tokens in hypotheses(real(*asked, given=lines)):
        pairs = list(itertools.pairwise(tokens))
        assert len(set(pairs)) == len(pairs) and 8 <= len(tokens) <= 12


def test_samples_are_as_many_as_asked_for_and_the_seeds_own(real: Run) -> None:
    lines = "one two three\nsix\nfour five\n"
    asked = ("--sample", "--nbest", "3", "--temperature", "1.5", "--json")
    found = hypotheses(real(*asked, "--seed", "3", given=lines))
    assert len(found) == 9
    assert hypotheses(real(*asked, "--seed", "3", "--window", "1", given=lines)) == found
    assert hypotheses(real(*asked, "--seed", "4", given=lines)) != found
    best = hypotheses(real("--beam-size", "1", "--json", given=lines))
    assert hypotheses(real("--sample", "--top-k", "1", "--json", given=lines)) == best
    assert hypotheses(real("--sample", "--top-p", "1e-6", "--json", given=lines)) == best
    assert hypotheses(real("--sample", "--min-p", "1", "--json", given=lines)) == best


def test_the_penalty_of_gnmt_is_in_the_score(real: Run) -> None:
    asked = ("--lenpen", "0.6", "--length-offset", "5", "--json")
    [line] = real(*asked, given="one two three\n").stdout.splitlines()
    best = json.loads(line)["hypotheses"][0]
    penalty = (5 + len(best["tokens"])) ** 0.6 / 6**0.6
    assert best["score"] == pytest.approx(sum(best["token_scores"]) / penalty, abs=1e-4)


def test_a_nasty_file_gets_its_lines(real: Run) -> None:
    result = real("--max-length-ratio", "0.5", "--beam-size", "2", given=NASTY)
    assert result.exit_code == 0, result.stderr
    out = result.stdout_bytes.decode().split("\n")
    assert len(out) == NASTY.count(b"\n") + 2  # the last line had no end; ours has
    assert out[1] == out[2] == out[-1] == ""
    assert all(len(line.splitlines()) <= 1 for line in out)
    assert "too long for the model, translated in parts: 1 line (stdin: 5)" in result.stderr


def test_outputs_do_not_depend_on_the_window(real: Run) -> None:
    lines = [f"{a} {b}{' three' * n}\n" for n in range(4) for a in ("one", "six") for b in "ab"]
    together = real(given="".join(lines)).stdout.splitlines()
    for window in ("1", "3"):
        assert real("--window", window, given="".join(lines)).stdout.splitlines() == together
    backwards = real(given="".join(reversed(lines))).stdout.splitlines()
    assert backwards == together[::-1]


def test_every_list_of_a_hypothesis_runs_over_its_tokens(real: Run) -> None:
    result = real("--json", "--nbest", "3", given="one two three\n")
    document = json.loads(result.stdout)
    scores = [hypothesis["score"] for hypothesis in document["hypotheses"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    for hypothesis in document["hypotheses"]:
        pairs = [pair.split("-") for pair in hypothesis["alignment"].split()]
        assert [int(target) for _, target in pairs] == list(range(len(hypothesis["tokens"])))
        assert all(int(source) < len(document["source_tokens"]) for source, _ in pairs)
        assert len(hypothesis["token_scores"]) == len(hypothesis["tokens"])
        total = sum(hypothesis["token_scores"]) / len(hypothesis["tokens"])
        assert hypothesis["score"] == pytest.approx(total, abs=1e-4)


def test_a_copied_model_folder_works_and_brings_no_compiler(
    trained_workspace: Path, tmp_path: Path, real: Run
) -> None:
    shutil.copytree(trained_workspace / "model", tmp_path / "copy")
    program = (
        "import sys\nfrom s2scli.cli.app import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit as end:\n    status = end.code\n"
        "slow = {'torch._dynamo', 'sympy', 'pyarrow', 'sacrebleu'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else status)\n"
    )
    arguments = ["translate", "-m", str(tmp_path / "copy"), "--device", "cpu"]
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        input=b"one two\n",
        capture_output=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == real(given="one two\n").stdout_bytes


def test_several_models_write_together(real: Run, trained_workspace: Path, tmp_path: Path) -> None:
    model = trained_workspace / "model"
    tokenizers = Tokenizers.load(model)
    other = write_model(tmp_path / "other", tokenizers, 'model.decoder.kind="lstm"')
    given = "one two three\n\nsix seven\n"

    def scores(*models: Path) -> list[float]:
        flags = [word for folder in models for word in ("-m", str(folder))]
        result = real(*flags, "--nbest", "2", given=given)
        assert result.exit_code == 0, result.stderr
        listed = [line.split(" ||| ") for line in result.stdout.splitlines()]
        assert [index for index, *_ in listed] == ["0", "0", "1", "2", "2"]
        return [float(score) for *_, score in listed]

    assert scores(model, model) == scores(model)
    assert scores(model, other) == scores(other, model)
    assert scores(model, other) != scores(model)
    assert scores(model, other) != scores(other)


def test_models_of_other_tokenizers_do_not_write_together(
    real: Run, trained_workspace: Path, tmp_path: Path
) -> None:
    stranger = write_model(tmp_path / "stranger", letters_of(["one two three"] * 9))
    model = trained_workspace / "model"
    result = real("-m", str(model), "-m", str(stranger), given="one\n")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert f"{stranger}: its tokenizer (" in result.stderr
    assert f") is not that of {model} (" in result.stderr
    missing = real("-m", str(model), "-m", str(tmp_path / "none"), given="one\n")
    assert missing.exit_code == 66
    assert f"{tmp_path / 'none'}: no model here" in missing.stderr


def test_a_word_alignment_counts_the_words_of_both_lines(real: Run) -> None:
    lines = ["one two three", "", "seven", "six seven one two", "one  two", "one\u00a0two"]
    plain = real(given="\n".join(lines)).stdout.splitlines()
    result = real("--alignment", "--alignment-threshold", "0", given="\n".join(lines))
    for source, text, line in zip(lines, plain, result.stdout.splitlines(), strict=True):
        shown, alignment = line.rsplit(" ||| ", 1)
        assert shown == text
        pairs = {tuple(map(int, pair.split("-"))) for pair in alignment.split()}
        assert pairs == {
            (s, t) for s in range(len(source.split())) for t in range(len(text.split()))
        }


DOCUMENT = "We ran. We hid  far\n away!  \n\n\n  Indented. Not\n"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("line", "WE RAN. WE HID  FAR\nAWAY!\n\n\nINDENTED. NOT\n"),
        ("sentence", "WE RAN. WE HID  FAR\n AWAY!  \n\n\n  INDENTED. NOT\n"),
        ("document", "WE RAN. WE HID  FAR AWAY!  \n\n\n  INDENTED. NOT\n"),
    ],
)
def test_the_unit_says_what_is_translated_at_once(translate: Run, unit: str, expected: str) -> None:
    result = translate("--unit", unit, given=DOCUMENT)
    if unit == "line":  # the stub keeps white space around a line
        expected = expected.replace("AWAY!", " AWAY!  ").replace("IND", "  IND")
    assert (result.exit_code, result.stdout) == (0, expected)


def test_a_document_keeps_line_breaks_between_sentences(translate: Run) -> None:
    given_text = "We ran.\nWe\nhid.\n\nNo.\n"
    assert translate("--unit", "document", given=given_text).stdout == "WE RAN.\nWE HID.\n\nNO.\n"
    result = translate("--unit", "document", "--json", given=given_text)
    first, blank, last = map(json.loads, result.stdout.splitlines())
    assert first["source"] == "We ran.\nWe\nhid." and first["translation"] == "WE RAN.\nWE HID."
    assert (blank["status"], last["line"]) == ("empty", 3)


def test_a_failed_sentence_fails_its_line(translate: Run) -> None:
    result = translate("--unit", "sentence", given="We ran. Then boom. No.\nb\n")
    assert (result.exit_code, result.stdout) == (3, "\nB\n")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--language", "en"], "--language has no effect without --unit: add --unit"),
        (["--unit", "sentence", "--language", "e?"], "--language: expected a code such as en"),
        (["--unit", "document", "--alignment"], "--alignment writes one line for each text"),
        (["--history", "2", "--unit", "sentence"], "--history answers turn by turn: leave --unit"),
        (["--history", "2", "--resume", "-o", "x"], "turn by turn: leave --resume out"),
        (["--history", "3", "--prefix"], "turn by turn: leave --prefix out"),
        (["--unit", "document", "--prefix"], "--prefix belongs to one line: choose --unit sent"),
        (["--files", "x.wav", "--source-field", "a"], "--source-field has no effect with --files"),
    ],
)
def test_units_and_histories_have_limits(translate: Run, words: list[str], fault: str) -> None:
    result = translate(*words, given="a\n")
    assert result.exit_code == 2
    assert fault in " ".join(result.stderr.split())


def test_a_dialogue_is_answered_turn_by_turn(translate: Run) -> None:
    result = translate("--history", "2", given="a\nb\n\nc\n")
    assert (result.exit_code, result.stdout) == (0, "A\nA ␞ B\n\nC\n")
