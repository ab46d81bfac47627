import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.manifest import verify_folder

PHONES = ["AH0", "B", "K", "T", "S", "L", "IY1", "OW1"]


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "-w", str(folder / "w")])


def prepared(folder: Path, lines: list[str], *options: str) -> Path:
    path = folder / "corpus.tsv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert run(folder, "prepare", str(path), *options).exit_code == 0
    return folder


@pytest.fixture
def spellings(tmp_path: Path) -> Path:
    """Words to phones: a char tokenizer and a word tokenizer."""
    lines = []
    for number in range(400):
        digits = f"{number:03o}"
        word = "".join("abktsliow"[int(digit)] for digit in digits)
        lines.append(f"{word}\t{' '.join(PHONES[int(digit)] for digit in digits)}")
    return prepared(tmp_path, lines)


def cells(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stdout.split("\n")]


def test_it_says_what_it_has_chosen_and_shows_the_result(spellings: Path) -> None:
    result = run(spellings, "train-tokenizer")
    assert result.exit_code == 0
    assert ["kind", "char", "word"] in cells(result)
    assert ["vocabulary", "12", "12"] in cells(result)
    assert ["byte", "fallback", "no", "no"] in cells(result)
    assert ["unknown", "pieces", "0.00%", "0.00%"] in cells(result)
    assert "a tokenizer for each side: they share 0% of their characters" in result.stderr
    assert "target: 8 different words" in result.stderr
    assert "\nnext: s2s train -w " in result.stderr


def test_json_is_one_document(spellings: Path) -> None:
    report = json.loads(run(spellings, "train-tokenizer", "--json", "-q").stdout)
    assert report["joint"] is False
    assert report["split"] == "valid"
    assert report["encoded"] == {"train": 320, "valid": 40, "test": 40}
    assert report["source"] == {
        "kind": "char",
        "vocab_size": 12,
        "byte_fallback": False,
        "pieces_per_word": 3.0,
        "pieces_per_character": 1.0,
        "unknown_rate": 0.0,
    }
    assert report["target"]["pieces_per_word"] == 1.0


def test_quiet_says_nothing(spellings: Path) -> None:
    assert run(spellings, "train-tokenizer", "-q").output == ""


def test_flags_decide(spellings: Path) -> None:
    flags = ["--model-type", "unigram", "--joint", "--byte-fallback", "--vocab-size", "290"]
    result = run(spellings, "train-tokenizer", *flags)
    assert ["kind", "unigram", "unigram"] in cells(result)
    assert ["vocabulary", "290", "290"] in cells(result)
    assert ["byte", "fallback", "yes", "yes"] in cells(result)
    assert re.fullmatch(r"next: s2s train -w \S+\n", result.stderr)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("5", "the joint vocabulary of 5 is increased to {}: every character needs a piece"),
        ("9000", "the joint vocabulary of 9,000 is reduced to {}: the text has no more pieces"),
    ],
)
def test_an_impossible_size_is_changed_and_said(spellings: Path, size: str, said: str) -> None:
    flags = ["--model-type", "bpe", "--joint", "--no-byte-fallback", "--vocab-size", size]
    result = run(spellings, "train-tokenizer", *flags, "--json")
    assert result.exit_code == 0
    assert said.format(json.loads(result.stdout)["source"]["vocab_size"]) in result.stderr


def test_unknown_pieces_are_warned_of(tmp_path: Path) -> None:
    valid = tmp_path / "valid.tsv"
    valid.write_text("the cat\tx 猫猫猫 y\n" * 3, encoding="utf-8")
    lines = [f"the cat {number}\tthe dog {number}" for number in range(50)]
    result = run(prepared(tmp_path, lines, "--valid", str(valid)), "train-tokenizer")
    assert result.exit_code == 0
    assert "of the target pieces of the valid split are unknown" in result.stderr
    assert "--byte-fallback" in result.stderr


def test_without_a_valid_split_train_is_measured(tmp_path: Path) -> None:
    folder = prepared(tmp_path, ["a b\tb a"], "--valid-size", "0", "--test-size", "0")
    report = json.loads(run(folder, "train-tokenizer", "--json").stdout)
    assert report["split"] == "train"
    assert report["encoded"] == {"train": 1}


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (["--model-type", "wordpiece"], 2, "error: --kind: "),
        (["--vocab-size", "0"], 2, "error: --vocab-size: "),
        (["--character-coverage", "0.5"], 2, "error: --character-coverage: "),
        (["--vocab-size", "many"], 2, "Usage: "),
    ],
)
def test_wrong_settings(spellings: Path, flags: list[str], status: int, message: str) -> None:
    result = run(spellings, "train-tokenizer", *flags)
    assert result.exit_code == status
    assert message in result.stderr
    assert not (spellings / "w/tokenizer").exists()


def test_no_corpus(tmp_path: Path) -> None:
    result = run(tmp_path, "train-tokenizer")
    assert result.exit_code == 66
    assert result.stderr.startswith("error: ")
    assert "no corpus here; make one: s2s prepare -w " in result.stderr


@pytest.mark.slow
def test_a_signal_ends_it_while_sentencepiece_is_at_work(tmp_path: Path) -> None:
    lines = [f"{'x' * 900}{number}\t{'y' * 900}{number}" for number in range(2000)]
    folder = prepared(tmp_path, lines)
    command = [sys.executable, "-m", "s2scli", "train-tokenizer", "-w", str(folder / "w")]
    flags = ["--model-type", "unigram", "--joint"]
    with subprocess.Popen([*command, *flags], stderr=subprocess.PIPE) as process:
        time.sleep(4)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
        assert time.monotonic() - asked < 20
    assert {path.name for path in (folder / "w").iterdir()} == {".lock", "corpus"}


def test_a_models_tokenizer_is_taken_without_other_settings(
    spellings: Path, trained_workspace: Path
) -> None:
    words = ("train-tokenizer", "--from", str(trained_workspace / "model"))
    result = run(spellings, *words, "--vocab-size", "20")
    assert result.exit_code == 2
    assert "--from copies a tokenizer unchanged; leave out the other settings" in result.stderr
    result = run(spellings, *words, "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["encoded"] == {"train": 320, "valid": 40, "test": 40}
    assert "unknown" in result.stderr and "learns pieces for this corpus" in result.stderr


def test_the_encoded_corpus_is_that_of_any_number_of_workers(spellings: Path) -> None:
    digests = set()
    for workers in ("1", "2"):
        assert run(spellings, "train-tokenizer", "--workers", workers).exit_code == 0
        digests.add(verify_folder(spellings / "w" / "encoded", "encoded").digest)
    assert len(digests) == 1
    result = run(spellings, "train-tokenizer", "--dask", "host")
    assert result.exit_code == 2
    assert "not an address" in " ".join(result.stderr.split())
