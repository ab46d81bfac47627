"""Which engine is chosen, by exports that are manifests alone."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from s2scli.errors import CheckpointError, MissingInputError, UsageError
from s2scli.manifest import new_folder, read_manifest
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.translation.export_engine import ExportFacts
from s2scli.translation.loading import EngineRequest, choose_export, folder_beside, is_export

FACTS = ExportFacts(
    name="x", quantization="none", max_source_tokens=20, positions=64, search=SearchSettings()
)
QUIET = Talk(quiet=True)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let CTranslate2 be there, whether it is or not: nothing here runs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What passes for a model folder, with what passes for its export beside it."""
    with new_folder(tmp_path / "model", "model") as draft:
        (draft.path / "weights").write_text("weights")
    write_export(
        folder_beside(tmp_path / "model"), read_manifest(tmp_path / "model", "model").digest
    )
    return tmp_path / "model"


def write_export(folder: Path, model: str, kind: str = "ctranslate2") -> Path:
    with new_folder(folder, kind, made_from={"model": model}) as draft:
        draft.facts = FACTS.model_dump(mode="json")
    return folder


def chosen(*folders: Path, **asked: Any) -> Path | None:
    export = choose_export(folders, EngineRequest(**asked), QUIET)
    return export.folder if export else None


def test_an_export_beside_its_model_is_used(model: Path) -> None:
    assert chosen(model) == folder_beside(model) == model.with_name("model-ctranslate2")
    assert is_export(folder_beside(model)) and not is_export(model)
    assert chosen(model, engine="pytorch") is None


@pytest.mark.parametrize(
    "asked",
    [
        {"needs": ["--alignment"]},
        {"prefers": ["--json"]},
        {"int8": True},
        {"overrides": {"sample": True}},
        {"overrides": {"no_repeat_ngram": 3}},
        {"overrides": {"max_length": 65}},
    ],
)
def test_what_the_export_cannot_do_is_left_to_pytorch(
    model: Path, asked: dict[str, object]
) -> None:
    longer = {"overrides": {"max_length_ratio": 10.0}} if "max_length" in str(asked) else {}
    assert chosen(model, **(longer or asked)) is None
    assert chosen(model, overrides={"beam_size": 2, "max_length": 64}) is not None


def test_what_it_cannot_do_is_an_error_if_it_must(model: Path) -> None:
    with pytest.raises(UsageError, match="CTranslate2 does not support --alignment, --int8; leave"):
        chosen(model, engine="ctranslate2", needs=["--alignment"], int8=True)
    with pytest.raises(UsageError, match="--sample; leave that out, or give the model folder"):
        chosen(folder_beside(model), overrides={"sample": True})
    assert chosen(model, engine="ctranslate2", prefers=["--json"]) == folder_beside(model)


def test_several_models_are_for_pytorch(model: Path) -> None:
    assert chosen(model, model) is None
    with pytest.raises(UsageError, match=r"several models \(-m\)"):
        chosen(model, model, engine="ctranslate2")


def test_an_export_of_another_model_is_not_used(model: Path) -> None:
    write_export(folder_beside(model), "another")
    assert chosen(model) is None
    with pytest.raises(
        CheckpointError, match=r"an export of another model .* make one: s2s export"
    ):
        chosen(model, engine="ctranslate2")


def test_without_an_export_there_is_pytorch(model: Path, tmp_path: Path) -> None:
    with new_folder(tmp_path / "bare", "model"):
        pass
    assert chosen(tmp_path / "bare") is None
    with pytest.raises(MissingInputError, match="no export of the model here; make one"):
        chosen(tmp_path / "bare", engine="ctranslate2")


def test_an_export_given_is_used_whatever_lies_beside_it(model: Path, tmp_path: Path) -> None:
    alone = write_export(tmp_path / "alone", "gone")
    assert chosen(alone) == alone
    with pytest.raises(UsageError, match="which PyTorch cannot run; give the model folder"):
        chosen(alone, engine="pytorch")


def test_without_the_package_pytorch_is_chosen(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert chosen(model) is None
    assert chosen(model, engine="ctranslate2") is not None, "loading it says what to install"


# ONNX Runtime


@pytest.fixture
def graphs(model: Path) -> Path:
    """What passes for the export of the model to ONNX."""
    digest = read_manifest(model, "model").digest
    return write_export(folder_beside(model, "onnx"), digest, "onnx")


def test_an_export_to_onnx_is_used_if_it_is_asked_for(model: Path, graphs: Path) -> None:
    assert chosen(model, engine="onnx") == graphs == model.with_name("model-onnx")
    assert chosen(graphs) == chosen(graphs, engine="onnx") == graphs
    assert chosen(model) == folder_beside(model), "auto prefers CTranslate2"
    assert is_export(graphs)


def test_it_searches_by_every_rule_of_ours(graphs: Path) -> None:
    search = {"sample": True, "no_repeat_ngram": 3, "max_length": 5000}
    assert chosen(graphs, needs=["--alignment", "--protect"], overrides=search) == graphs


def test_what_only_pytorch_does_is_refused(model: Path, graphs: Path) -> None:
    with pytest.raises(UsageError, match="ONNX Runtime does not support --int8, --shortlist; leav"):
        chosen(model, engine="onnx", int8=True, shortlist=True)
    with pytest.raises(UsageError, match="does not support --ctc-weight"):
        chosen(graphs, overrides={"ctc_weight": 0.3})
    with pytest.raises(UsageError, match="does not support several models"):
        chosen(model, model, engine="onnx")


def test_an_export_is_run_by_its_own_program(model: Path, graphs: Path) -> None:
    for engine, name in (("pytorch", "PyTorch"), ("ctranslate2", "CTranslate2")):
        with pytest.raises(UsageError, match=f"to ONNX Runtime, which {name} cannot run; give the"):
            chosen(graphs, engine=engine)
    with pytest.raises(UsageError, match="to CTranslate2, which ONNX Runtime cannot run"):
        chosen(folder_beside(model), engine="onnx")


def test_the_command_that_makes_it_is_named(model: Path) -> None:
    with pytest.raises(MissingInputError, match="make one: s2s export --to onnx"):
        chosen(model, engine="onnx")
    write_export(folder_beside(model, "onnx"), "another", "onnx")
    with pytest.raises(CheckpointError, match=r"another model .* make one: s2s export --to onnx"):
        chosen(model, engine="onnx")
