"""`s2s inspect alignment` on a trained workspace, and on untrained models of several layers."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.model.weights import encode_tensors
from s2scli.report.readings import Reading
from s2scli.search.shortlist import Shortlist
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.model_folder import (
    SHORTLIST,
    load_model_folder,
    read_shortlist,
    reading_of,
    record_reading,
    record_shortlist,
)
from tests.cli.inspecting import model_of, refused, run, run_json
from tests.faults import seal
from tests.folders import write_model

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("quick_fsync")


@pytest.fixture
def workspace(trained_workspace: Path, tmp_path: Path) -> Path:
    """A copy whose model is an untrained Transformer of three layers."""
    folder = tmp_path / "workspace"
    shutil.copytree(trained_workspace / "corpus", folder / "corpus")
    write_model(
        folder / "model",
        Tokenizers.load(trained_workspace / "tokenizer"),
        "model.decoder={kind='transformer',model_dim=16,num_layers=3,num_heads=2,ffn_dim=16}",
        "model.attention={kind='multi_head',num_heads=2}",
        "model.connection={kind='none'}",
        scale=3.0,
    )
    return folder


def recorded(folder: Path) -> Reading:
    return reading_of(load_model_folder(folder, CPU))


def test_every_layer_is_compared_and_the_best_is_kept_on_request(workspace: Path) -> None:
    found = run_json("alignment", "-w", workspace, "--device", "cpu")
    assert len(found["readings"]) == 2 * 3 + 2
    best = max(found["readings"], key=lambda one: one["mutual_information_bits"])
    assert found["best"] == {"layer": best["layer"], "later": best["later"]}
    assert found["used"] == {"layer": None, "later": False}
    assert recorded(workspace / "model") == Reading()
    shown = run("alignment", "-w", workspace, "--save").stdout
    assert shown.count("layer 3, one step later") == 1 and shown.count("best") >= 1
    assert recorded(workspace / "model") == Reading(**found["best"])
    assert run_json("alignment", "-w", workspace)["used"] == found["best"]


def test_a_reverse_model_decides_by_disagreement(workspace: Path, trained_workspace: Path) -> None:
    words = ("alignment", "-w", workspace, "--reverse", trained_workspace / "model", "-n", "5")
    found = run_json(*words)
    best = min(found["readings"], key=lambda one: one["disagreement"])
    assert found["best"] == {"layer": best["layer"], "later": best["later"]}
    assert found["pairs"] == 5
    assert "AER against the reverse model" in " ".join(run(*words).stdout.split())


def test_a_single_layer_is_read_at_two_steps(trained_workspace: Path) -> None:
    found = run_json("alignment", "-w", trained_workspace)
    assert [one["disagreement"] for one in found["readings"]] == [None, None]
    assert [one["layer"] for one in found["readings"]] == [None, None]
    assert found["used"] == {"layer": None, "later": False}


def test_what_cannot_be_aligned_is_refused(workspace: Path, tmp_path: Path) -> None:
    blind = model_of(tmp_path / "blind", "none")
    line = refused(run("alignment", "-w", workspace, "-m", blind), 2)
    assert "has no attention" in line and "bahdanau2015" in line
    assert "no corpus here" in refused(
        run("alignment", "-w", tmp_path, "-m", workspace / "model"), 66
    )


def test_recordings_are_refused(tone_workspace: Path) -> None:
    assert "read and write text" in refused(run("alignment", "-w", tone_workspace), 2)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"layer": 4, "later": True}, "layer 4, but its decoder attends with 3"),
        ({"layer": 0}, "alignment in the manifest of the model: layer: "),
        ("middle", "alignment in the manifest of the model"),
    ],
)
def test_a_manifest_with_another_choice_is_damage(
    choice: object, message: str, workspace: Path
) -> None:
    path = workspace / "model" / "manifest.json"
    tree = json.loads(path.read_text())
    tree["facts"]["alignment"] = choice
    path.write_text(json.dumps(tree))
    seal(workspace / "model")
    assert message in refused(run("alignment", "-w", workspace), 65)


def translate(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["translate", *map(str, words)], input="one two\nthree\n")


def test_a_shortlist_is_recorded_and_used_on_request(workspace: Path) -> None:
    model = (workspace / "model").rename(workspace / "my model")
    given = ("-w", workspace, "-m", model, "--device", "cpu")
    line = refused(translate(*given, "--shortlist"), 66)
    assert "s2s inspect alignment --shortlist" in line
    record_reading(model, Reading(layer=2))
    said = run("alignment", *given, "-n", "5", "--shortlist").stderr
    assert "recorded a shortlist" in said
    assert f"-m {shlex.quote(str(model))} --shortlist < input.txt" in " ".join(said.split())
    loaded = load_model_folder(model, CPU)
    shortlist = read_shortlist(model, loaded)
    vocab_size = loaded.model.vocab_size
    assert len(shortlist.best) == vocab_size and 0 < len(shortlist.common) <= 50
    assert len(set(shortlist.best.flatten().tolist())) > 2
    found = translate(*given, "--shortlist", "--max-length", "5")
    assert found.exit_code == 0 and len(found.stdout.splitlines()) == 2
    assert reading_of(loaded) == Reading(layer=2), "the reading is kept"
    constrained = translate(*given, "--shortlist", "--prefix")
    assert "--shortlist has no search with --prefix" in refused(constrained, 2)
    several = translate(*given, "--shortlist", "-m", model)
    assert "--shortlist is for one model" in refused(several, 2)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"best": torch.zeros(3, 2)}, "not a shortlist"),
        ({"best": torch.zeros(3, 2).int(), "common": torch.zeros(2).int()}, "not of the vocab"),
        ({"best": torch.zeros(40, 2).int(), "common": torch.tensor([9999]).int()}, "not of the"),
    ],
)
def test_a_shortlist_of_something_else_is_damage(
    tensors: dict[str, torch.Tensor], message: str, workspace: Path
) -> None:
    record_shortlist(workspace / "model", Shortlist(torch.tensor([3]), torch.tensor([[3]])))
    (workspace / "model" / SHORTLIST).write_bytes(encode_tensors(tensors))
    seal(workspace / "model")
    assert message in refused(translate("-w", workspace, "--shortlist"), 65)


def test_a_model_that_copies_has_no_shortlist(workspace: Path, tmp_path: Path) -> None:
    changes = ("model.attention={kind='dot'}", "model.output={kind='pointer'}")
    copier = write_model(tmp_path / "copier", Tokenizers.load(workspace / "model"), *changes)
    result = run("alignment", "-q", "-w", workspace, "-m", copier, "-n", "5", "--shortlist")
    assert result.exit_code == 2 and "a model that copies can write any token" in result.stderr
