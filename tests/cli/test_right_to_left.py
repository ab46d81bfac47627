"""A model that writes from right to left: its outputs read like those of any other."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Tokenizers


def run(*words: str, given: str | None = None) -> Result:
    result = CliRunner().invoke(app, [*words], input=given)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that copies, and whose targets are read from the last token to the first."""
    folder = tmp_path_factory.mktemp("reversed")
    words = ["ab", "bc", "ca"]
    rows = [f"{a} {b} {c}\t{a} {b} {c}\n" for a in words for b in words for c in words]
    (folder / "corpus.tsv").write_text("".join(rows))
    where = ["-q", "-w", str(folder / "workspace")]
    run("prepare", str(folder / "corpus.tsv"), "--valid-size", "3", "--test-size", "3", *where)
    run("train-tokenizer", "--right-to-left", "--kind", "char", *where)
    changes = ["--set", "training.bpe_dropout=0.1"]
    run("train", "--recipe", "tiny", "--max-steps", "10", "--device", "cpu", *changes, *where)
    return folder / "workspace"


def test_outputs_read_from_left_to_right(workspace: Path) -> None:
    result = run("translate", "-w", str(workspace), "--json", "--nbest", "2", given="ab bc ca\n")
    for one in json.loads(result.stdout)["hypotheses"]:
        assert "".join(one["tokens"][:-1]).replace("▁", " ").strip() == one["text"]
        assert one["tokens"][-1] == "</s>"
        assert len(one["tokens"]) == len(one["token_scores"])


def test_scores_are_those_of_the_search(workspace: Path) -> None:
    where = ["-w", str(workspace)]
    score, text = run("translate", *where, "--scores", given="ab bc\n").stdout.split("\t")
    scored = run("score", *where, "--lenpen", "1", given=f"ab bc\t{text}\n").stdout
    assert float(scored) == pytest.approx(float(score), abs=2e-4)


def test_the_model_folder_says_so_and_constraints_are_refused(workspace: Path) -> None:
    tokenizers = Tokenizers.load(workspace / "model")
    source, target = tokenizers.source, tokenizers.target
    assert isinstance(source, SentencePiece) and isinstance(target, SentencePiece)
    assert target.reverse and not source.reverse
    result = CliRunner().invoke(
        app, ["translate", "-w", str(workspace), "--ban", "a"], input="ab\n"
    )
    assert result.exit_code == 2 and "writes from left to right" in result.stderr
