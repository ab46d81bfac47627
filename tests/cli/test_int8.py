"""`--int8`: weights of 8 bits, in `s2s translate`, `s2s evaluate` and `s2scli.load`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from s2scli import load
from s2scli.cli.app import app
from s2scli.model.kernels.linear import Linear
from s2scli.model.kernels.machine import this_machine
from s2scli.model.seq2seq import Seq2Seq
from s2scli.translation.torch_engine import TorchEngine
from tests.machines import needs_int8

TEXTS = ["one two", "six", "", "one one five", "six four two", "two one", "seven seven"]


def run(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(app, arguments, input=given)


@needs_int8
def test_the_output_is_nearly_the_same(trained_workspace: Path) -> None:
    words = ("translate", "-w", str(trained_workspace), "--device", "cpu", "--json")
    text = "".join(f"{line}\n" for line in TEXTS)
    exact, rough = (
        [json.loads(line) for line in run(*words, *flags, given=text).stdout.splitlines()]
        for flags in ((), ("--int8",))
    )
    assert len(exact) == len(rough) == len(TEXTS)
    scores = []
    for one, other in zip(exact, rough, strict=True):
        assert one["status"] == other["status"]
        for mine, found in zip(one["hypotheses"], other["hypotheses"], strict=True):
            assert found["score"] == pytest.approx(mine["score"], abs=0.3)
            scores.append(found["score"] - mine["score"])
    assert any(scores), "the weights were not rounded"


@needs_int8
def test_the_others_of_a_batch_change_no_score(trained_workspace: Path) -> None:
    model = load(trained_workspace / "model", device="cpu", int8=True)
    for text, found in zip(TEXTS, model.records(TEXTS, n_best=3), strict=True):
        (alone,) = model.records([text], n_best=3)
        assert (alone.translation is None) == (found.translation is None) == (not text)
        if alone.translation and found.translation:
            pairs = zip(alone.translation.hypotheses, found.translation.hypotheses, strict=True)
            for mine, other in pairs:
                assert other.text == mine.text
                assert other.score == pytest.approx(mine.score, abs=1e-3)


@needs_int8
def test_a_loaded_model_multiplies_in_8_bits_if_asked_to(trained_workspace: Path) -> None:
    for int8 in (False, True):
        engine = load(trained_workspace / "model", device="cpu", int8=int8).translator.engine
        assert isinstance(engine, TorchEngine)
        model = engine.model
        assert isinstance(model, Seq2Seq)
        layers = [layer for layer in model.modules() if isinstance(layer, Linear)]
        assert layers
        assert all((layer.layout is not None and layer.layout.int8) == int8 for layer in layers)
        assert all(layer.weight.dtype == torch.float32 for layer in layers)


@pytest.mark.parametrize("command", ["translate", "evaluate"])
def test_a_processor_without_products_of_8_bits_is_told(
    command: str, trained_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = replace(this_machine(), has_int8=False)
    monkeypatch.setattr("s2scli.translation.torch_engine.this_machine", lambda: machine)
    result = run(command, "-w", str(trained_workspace), "--device", "cpu", "--int8", given="a\n")
    assert result.exit_code == 78
    assert "no 8-bit matrix products for this processor; leave out --int8" in result.stderr
    assert result.stdout == ""


def test_a_gpu_is_refused(trained_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "s2scli.translation.torch_engine.pick_device", lambda name: torch.device("cuda", 0)
    )
    result = run("translate", "-w", str(trained_workspace), "--int8", given="a\n")
    assert result.exit_code == 78
    assert "--int8 works on a CPU only, found cuda:0; choose --device cpu" in result.stderr


def test_outputs_that_are_there_need_no_weights(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("a\n")
    lines = str(tmp_path / "lines")
    result = run("evaluate", "--hypothesis", lines, "--reference", lines, "--int8")
    assert result.exit_code == 2
    assert "--int8 needs a model: give --source" in result.stderr
