"""A model that copies, through the commands: trained on a corpus, and asked for new symbols."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.config import load_recipe
from s2scli.manifest import read_manifest
from s2scli.model.weights import model_weights
from s2scli.translation.model_folder import build_model, write_model_folder
from tests.folders import letters_of, write_model
from tests.machines import needs_int8

LETTERS = letters_of(["abcdefgh ij"])
POINTER = 'model.output.kind="pointer"'
UNSEEN = "ab黜陟 黜"


def run(*arguments: str | Path, given: str = "") -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], input=given)


def document_of(*arguments: str | Path, given: str = "") -> dict[str, Any]:
    result = run(*arguments, given=given)
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def write_copier(folder: Path, *changes: str, seed: int = 5) -> Path:
    """Write an untrained model of strong opinions, which copies often."""
    recipe = load_recipe("tiny", [POINTER, "search.max_length=8", *changes])
    torch.manual_seed(seed)
    model = build_model(recipe, LETTERS)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(3.0)
            if name == "output.gate.bias":
                weight.add_(4.0)
    write_model_folder(folder, recipe, model_weights(model), LETTERS, {})
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_copier(tmp_path_factory.mktemp("copying") / "model")


def test_json_says_what_was_copied_and_from_where(model: Path) -> None:
    several = ("--json", "--beam-size", "8", "--nbest", "8")
    record = document_of("translate", "-m", model, *several, given=f"{UNSEEN}\n")
    tokens = record["source_tokens"]
    assert tokens == ["a", "b", "黜", "陟", "▁", "黜", "</s>"]
    copied = 0
    for one in record["hypotheses"]:
        assert len(one["p_copy"]) == len(one["copied_from"]) == len(one["tokens"])
        assert all(0 <= share <= 1 for share in one["p_copy"])
        for token, index in zip(one["tokens"], one["copied_from"], strict=True):
            assert index is None or tokens[index] == token
            copied += token in "黜陟"
    assert copied, "some output holds a character that no vocabulary has"


def test_a_model_that_does_not_copy_says_nothing_of_it(tmp_path: Path) -> None:
    plain = write_model(tmp_path / "plain", LETTERS, "search.max_length=4")
    record = document_of("translate", "-m", plain, "--json", given="ab\n")
    assert not {"p_copy", "copied_from"} & record["hypotheses"][0].keys()


@needs_int8
def test_8_bits_write_nearly_the_same(model: Path) -> None:
    exact, rough = (
        document_of("translate", "-m", model, "--json", *flags, given=f"{UNSEEN}\n")
        for flags in ((), ("--int8",))
    )
    one, other = exact["hypotheses"][0], rough["hypotheses"][0]
    assert one["score"] == pytest.approx(other["score"], abs=0.2)


def test_a_target_is_scored_with_its_copies(model: Path) -> None:
    """A character that the source has is possible; the same as an unknown token is not copied."""
    result = run("score", "-m", model, given="a黜\t黜\na\t黜\n")
    copied, unknown = map(float, result.stdout.split())
    assert copied > -30 and unknown != copied


def test_the_map_shows_what_was_copied(model: Path) -> None:
    shown = run("inspect", "attention", "黜", "--target", "黜", "-m", model)
    assert "p_copy copied" in shown.stdout and "黜" in shown.stdout
    found = document_of("inspect", "attention", "黜", "--target", "黜", "-m", model, "--json")
    assert found["target_pieces"] == ["黜", "</s>"]
    assert found["copied_from"][0] == 0


def test_two_models_that_copy_write_together_but_not_with_others(
    model: Path, tmp_path: Path
) -> None:
    other = write_copier(tmp_path / "other", seed=6)
    together = run("translate", "-m", model, "-m", other, given=f"{UNSEEN}\n")
    assert together.exit_code == 0 and together.stdout.strip()
    plain = write_model(tmp_path / "plain", LETTERS)
    refused = run("translate", "-m", model, "-m", plain, given="a\n")
    assert refused.exit_code == 2
    assert "its output (model.output.kind plain) is not that of" in refused.stderr


def test_no_output_has_a_banned_word_beside_a_copy(model: Path) -> None:
    several = ("--json", "--beam-size", "8", "--nbest", "8", "--ban", "a")
    record = document_of("translate", "-m", model, *several, given="a★a★\n")
    texts = [one["text"] for one in record["hypotheses"]]
    assert any("★" in text for text in texts)
    assert not [text for text in texts if re.search(r"\ba\b", text)]


def test_a_line_in_parts_copies_from_the_whole(tmp_path: Path) -> None:
    long = ". ".join(["ab黜", "陟ab"] * 4) + "."
    changed = write_copier(tmp_path / "short", "training.max_length=8")
    record = document_of("translate", "-m", changed, "--json", given=f"{long}\n")
    (one,) = record["hypotheses"]
    tokens = record["source_tokens"]
    assert len(one["copied_from"]) == len(one["tokens"])
    for token, index in zip(one["tokens"], one["copied_from"], strict=True):
        assert index is None or tokens[index] == token


def test_it_is_trained_through_the_commands(tmp_path: Path) -> None:
    """The corpus is encoded for copying, and again for a model that does not copy."""
    rows = [f"{a}黜 {b}\t{b} {a}{c}\n" for a in "abcdef" for b in "abcdef" for c in "黜陟"]
    (tmp_path / "rows.tsv").write_text("".join(rows), encoding="utf-8")
    (tmp_path / "more.tsv").write_text("魚 a\ta 魚\nb 鳥\t鳥\n魚鳥\t鳥魚!\n", encoding="utf-8")
    workspace = tmp_path / "workspace"
    valid = ("--valid", tmp_path / "more.tsv", "--test", tmp_path / "more.tsv")
    assert run("prepare", tmp_path / "rows.tsv", *valid, "-w", workspace).exit_code == 0
    assert run("train-tokenizer", "--kind", "char", "-w", workspace).exit_code == 0
    options = ("--recipe", "tiny", "--device", "cpu", "-w", workspace)
    pointer = ("--set", POINTER, "--set", "training.source_token_dropout=0.1")
    first = run("train", *options, *pointer, "--max-steps", "6")
    assert first.exit_code == 0, first.stderr
    assert "the corpus is encoded again for a model that copies" in first.stderr
    assert read_manifest(workspace / "encoded", "encoded").facts == {"copying": True}
    resumed = run("train", "-w", workspace, "--max-steps", "8", "--device", "cpu")
    assert resumed.exit_code == 0, resumed.stderr
    assert "encoded again" not in resumed.stderr
    scores = document_of("evaluate", "--exact-match", "--json", "-w", workspace)
    assert scores["scores"]
    plain = run("train", *options, "--max-steps", "2", "--restart", "--overwrite")
    assert plain.exit_code == 0, plain.stderr
    assert "the corpus is encoded again for a model that does not copy" in plain.stderr


def test_saliency_explains_what_was_copied(model: Path) -> None:
    words = ("inspect", "saliency", "黜b", "--target", "黜", "-m", model, "--json")
    found = document_of(*words, "--method", "integrated")
    assert found["target_pieces"] == ["黜", "</s>"] and found["source_pieces"][0] == "黜"
    assert found["deletion_test"]["correlation"] is not None
    erased = document_of(*words, "--no-test")
    first = erased["values"][0]
    assert first[0] == max(first), "the token that is copied matters most"
    own = document_of("inspect", "saliency", UNSEEN, "--no-test", "-m", model, "--json")
    seen = document_of("inspect", "attention", UNSEEN, "-m", model, "--json")
    assert own["target_pieces"] == seen["target_pieces"]
    (row,) = document_of(*words, "--instead", "b", "--no-test")["target_pieces"]
    assert row == "黜 not b"
