"""Law: a line becomes the same line whoever asks: command, Python, evaluate, either engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from s2scli import load
from s2scli.cli.app import app
from s2scli.config import load_recipe
from s2scli.data.example import TokenIds
from s2scli.errors import CorpusError
from s2scli.model.weights import model_weights
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import BOS_ID, PAD_ID
from s2scli.translation import ctranslate2_engine, onnx_engine, torch_engine
from s2scli.translation.loading import folder_beside
from s2scli.translation.model_folder import build_model, write_model_folder
from tests.folders import letters_of

SMALL = (
    *(f"model.{side}.embedding_dim=16" for side in ("source", "target")),
    *(f"model.{side}.model_dim=16" for side in ("encoder", "decoder")),
    *(f"model.{side}.ffn_dim=16" for side in ("encoder", "decoder")),
    "training.max_length=20",
    "search.beam_size=1",
    "search.max_length=9",
)
LINES = {
    "plain": "a bad cab",
    "blank": "",
    "white": " \t\u3000\u200b",
    "over-long": "a bad face. hi jig, a bad cab! " * 3,
    "over-long without a space": "abcdefghij" * 5,
    "failing": "a zzz",
    "failing part": "a bad face. hi jig, a bad cab! z" * 2,
    "unknown": "a 犬 b",
    "odd": "a\x85b\u2028c\x1b\ufeffd",
    "spaced": "   a  b   ",
    "one": "j",
}
FAILING = "z"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Transformer whose tokens are letters, and whose padding is never probable."""
    recipe, tokenizers = load_recipe("transformer-tiny", SMALL), letters_of(["abcdefgh ijz.,!"])
    torch.manual_seed(1)
    model = build_model(recipe, tokenizers)
    with torch.no_grad():
        model.output.bias[[PAD_ID, BOS_ID]] = -1e4
        model.output.weight.mul_(3.0)
    path = tmp_path_factory.mktemp("law") / "model"
    write_model_folder(path, recipe, model_weights(model), tokenizers, {})
    return path


@pytest.fixture(autouse=True)
def some_lines_fail(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the engines fail at a batch with the letter z in it."""
    codec = load(folder, device="cpu").translator.target  # that of both sides
    (failing,) = [id for id in codec.encode(FAILING) if codec.pieces([id]) == (FAILING,)]
    for engine in (
        torch_engine.TorchEngine,
        ctranslate2_engine.CTranslate2Engine,
        onnx_engine.OnnxEngine,
    ):
        monkeypatch.setattr(engine, "search", failing_at(int(failing), engine.search))


def failing_at(token: int, search: Any) -> Any:
    def fails(
        self: Any, sources: Sequence[TokenIds], settings: SearchSettings, wanted: Any, *others: Any
    ) -> list[tuple[Hypothesis, ...]]:
        if any(token in ids for ids in sources):
            raise RuntimeError("the network fell over")
        found: list[tuple[Hypothesis, ...]] = search(self, sources, settings, wanted, *others)
        return found

    return fails


def by_api(folder: Path, lines: Sequence[str]) -> list[str]:
    return [record.text for record in load(folder, device="cpu").records(lines)]


def by_command(folder: Path, lines: Sequence[str], *flags: str) -> list[str]:
    words = ("translate", "-m", str(folder), "--device", "cpu", *flags)
    result = CliRunner().invoke(app, words, input="".join(f"{line}\n" for line in lines))
    assert result.exit_code == 3, result.output
    return result.stdout.split("\n")[:-1]


def by_evaluate(folder: Path, lines: Sequence[str], tmp_path: Path) -> list[str]:
    for name, texts in (("source", lines), ("reference", ["a"] * len(lines))):
        (tmp_path / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    result = CliRunner().invoke(
        app,
        [
            *("evaluate", "--bleu", "-m", str(folder), "-o", str(tmp_path / "out")),
            *("--source", str(tmp_path / "source"), "--reference", str(tmp_path / "reference")),
            *("--device", "cpu"),
        ],
    )
    assert result.exit_code == 0, result.output
    return (tmp_path / "out").read_bytes().decode().split("\n")[:-1]


def test_whoever_asks_gets_the_same_lines(folder: Path, tmp_path: Path) -> None:
    lines = list(LINES.values())
    expected = by_api(folder, lines)
    assert expected[2] == expected[1] == ""
    assert all(text for name, text in zip(LINES, expected, strict=True) if name in SAID)
    assert by_command(folder, lines) == expected
    assert by_command(folder, lines, "--window", "2") == expected
    assert by_evaluate(folder, lines, tmp_path) == expected


SAID = ("plain", "over-long", "over-long without a space", "unknown", "odd", "spaced", "one")


@pytest.mark.parametrize(
    ("kind", "package"), [("ctranslate2", "ctranslate2"), ("onnx", "onnxruntime")]
)
def test_an_exported_model_writes_the_same_lines(folder: Path, kind: str, package: str) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed")
    result = CliRunner().invoke(app, ["export", "-m", str(folder), "--to", kind])
    assert result.exit_code == 0, result.output
    lines = list(LINES.values())
    theirs = by_command(folder_beside(folder, kind), lines)
    assert theirs == by_command(folder, lines, "--engine", "pytorch")


def test_lines_fail_alike(folder: Path) -> None:
    model = load(folder, device="cpu")
    with pytest.raises(CorpusError, match="texts, line 1: not translated"):
        model.translate([FAILING, "a"])
    records = model.records(list(LINES.values()))
    failed = {name for name, one in zip(LINES, records, strict=True) if one.status == "failed"}
    assert failed == {"failing", "failing part"}
    assert {one.fault for one in records} == {"", "RuntimeError: the network fell over"}
