"""What is exported, and what is left alone when it is not."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from s2scli.config import load_recipe
from s2scli.errors import (
    CheckpointError,
    ConfigError,
    CorpusError,
    LockedError,
    MissingExtraError,
    MissingInputError,
)
from s2scli.export.settings import ExportSettings
from s2scli.export.targets import TARGETS
from s2scli.manifest import read_manifest
from s2scli.metrics.score import Score
from s2scli.pipeline.evaluation import Evaluation
from s2scli.pipeline.export import (
    LEAST_POSITIONS,
    ExportReport,
    Verification,
    export,
    export_card,
    export_facts,
)
from s2scli.report.console import Talk
from s2scli.translation.ctranslate2_engine import unsupported
from s2scli.translation.export_engine import Export
from s2scli.translation.loading import folder_beside
from s2scli.translation.model_folder import LoadedModel, load_model_folder
from s2scli.translation.torch_engine import load
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace
from tests.folders import letters_of, write_model, write_transformer

pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")

TALK = Talk(quiet=True)
LOOSE = ExportSettings(tolerance=100.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_transformer(tmp_path_factory.mktemp("exported") / "model")


@pytest.fixture(scope="module")
def loaded(model: Path) -> LoadedModel:
    return load_model_folder(model, torch.device("cpu"))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("abc\tcba\n\tno source\nface\tecaf\nhi jig\tgij ih\n")
    return path


def given(file: Path) -> Verification:
    return Verification(Workspace(file.parent / "none"), file)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# what is written


def test_the_folder_says_what_it_was_made_from_and_holds_what_is_needed(
    model: Path, loaded: LoadedModel, tmp_path: Path
) -> None:
    report = export(model, tmp_path / "out", ExportSettings(), None, TALK)
    manifest = read_manifest(tmp_path / "out", "ctranslate2")
    assert manifest.made_from == {
        "model": loaded.manifest.digest,
        "tokenizer": loaded.tokenizers.digest,
    }
    needed = {"model.bin", "config.json", "tokenizer.json", "recipe.toml", "README.md"}
    files = bytes_of(tmp_path / "out")
    assert needed <= manifest.files.keys() == files.keys() - {"manifest.json"}
    size = sum(len(content) for name, content in files.items() if name != "manifest.json")
    assert report == ExportReport(str(tmp_path / "out"), "none", size, 0, [])
    facts = Export.of(tmp_path / "out", manifest).facts
    assert facts == export_facts(loaded, ExportSettings())


def test_without_a_folder_it_is_beside_the_model(model: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(model, tmp_path / "copy"))
    assert export(copied, None, ExportSettings(), None, TALK).folder == str(folder_beside(copied))
    assert {path.name for path in tmp_path.iterdir()} == {"copy", folder_beside(copied).name}


def test_an_older_export_is_replaced(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    full = export(model, output, ExportSettings(), None, TALK)
    small = export(model, output, ExportSettings(quantization="int8"), None, TALK)
    assert small.bytes < full.bytes
    assert read_manifest(output, "ctranslate2").facts["quantization"] == "int8"


def test_verifying_changes_nothing_of_what_is_written(
    model: Path, pairs: Path, tmp_path: Path
) -> None:
    export(model, tmp_path / "one", LOOSE, None, TALK)
    report = export(model, tmp_path / "other", LOOSE, given(pairs), TALK)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")
    assert report.lines == 3
    assert [each.engine.split()[0] for each in report.agreements] == [
        "PyTorch",
        *["CTranslate2"] * 2,
    ]


# what its manifest says


@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("training.max_length=5000",),
        ("search.max_length_ratio=100",),
        ("search.min_length=3000",),
        ("training.max_length=5000", "search.max_length=7"),
    ],
)
def test_the_facts_are_the_models_and_have_room_for_its_own_search(
    loaded: LoadedModel, changes: tuple[str, ...]
) -> None:
    recipe = load_recipe("transformer-tiny", changes)
    facts = export_facts(replace(loaded, recipe=recipe), ExportSettings(quantization="int8"))
    assert (facts.name, facts.quantization, facts.search) == (recipe.name, "int8", recipe.search)
    assert facts.max_source_tokens == recipe.training.max_length
    assert facts.positions >= max(LEAST_POSITIONS, recipe.training.max_length + 1)
    assert not [reason for reason in unsupported(facts, recipe.search) if "outputs" in reason]


@pytest.mark.parametrize(
    ("quantization", "weights"), [("none", "float32"), ("float32", "float32"), ("int8", "int8")]
)
def test_the_card_names_model_weights_and_longest_source(
    loaded: LoadedModel, quantization: Any, weights: str
) -> None:
    facts = export_facts(loaded, ExportSettings(quantization=quantization))
    card = export_card(
        loaded, facts.model_copy(update={"max_source_tokens": 1234}), TARGETS["ctranslate2"]
    )
    assert card.startswith(f"# {loaded.recipe.name}, for CTranslate2\n")
    assert f"- weights: {weights}\n" in card
    assert "- maximum source length: 1,234 tokens\n" in card


def test_the_card_has_the_scores_that_were_saved_for_the_model(
    model: Path, loaded: LoadedModel, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(model, tmp_path / "model"))
    saved = Evaluation("test split", 3, (Score("BLEU", 12.5, "nrefs:1"),), command="s2s evaluate")
    document = {"model": loaded.manifest.digest, **saved.as_json()}
    (tmp_path / "evaluation.json").write_text(json.dumps(document))
    folder = Path(export(copied, None, ExportSettings(), None, TALK).folder)
    assert "- BLEU: 12.50\n  `BLEU|nrefs:1`\n" in (folder / "README.md").read_text()
    elsewhere = export(model, tmp_path / "out", ExportSettings(), None, TALK).folder
    assert "No scores are recorded" in (Path(elsewhere) / "README.md").read_text()


# what is not written


def test_what_is_in_the_way_is_not_replaced(model: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = bytes_of(tmp_path)
    for output in (tmp_path, tmp_path / "file", model):
        with pytest.raises(LockedError, match="exists and is not an export of s2s; remove"):
            export(model, output, ExportSettings(), None, TALK)
    assert bytes_of(tmp_path) == before


def test_an_export_that_loses_too_much_is_not_kept(
    model: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from s2scli.metrics.score import Score

    scores = iter([30.0, 29.0])
    monkeypatch.setattr(
        "s2scli.translation.agreement.bleu", lambda *_: Score("bleu", next(scores), "")
    )
    settings = ExportSettings(tolerance=0.9)
    with pytest.raises(CheckpointError, match=r"loses 1\.00 BLEU, more than --tolerance 0\.9"):
        export(model, pairs.parent / "out", settings, given(pairs), TALK)
    assert list(pairs.parent.iterdir()) == [pairs]


def test_an_export_with_other_scores_is_not_kept(
    model: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "s2scli.export.ctranslate2_spec.sinusoids", lambda at, dim: torch.zeros(len(at), dim)
    )
    with pytest.raises(CheckpointError, match="the log-probability of a token differs by"):
        export(model, pairs.parent / "out", LOOSE, given(pairs), TALK)
    assert list(pairs.parent.iterdir()) == [pairs]


def test_nothing_is_written_where_there_is_nothing_to_verify_with(
    model: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.tsv").write_text("\t\n")
    for name, error, message in (
        ("empty.tsv", CorpusError, "found no pair to verify with"),
        ("none.tsv", MissingInputError, "none.tsv"),
    ):
        with pytest.raises(error, match=message):
            export(model, tmp_path / "out", ExportSettings(), given(tmp_path / name), TALK)
    assert not (tmp_path / "out").exists()


def test_a_model_that_the_target_cannot_run_is_refused(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", letters_of(["abcdefgh ij"]))
    with pytest.raises(ConfigError, match=r"is recurrent \(gru\), and CTranslate2"):
        export(model, None, ExportSettings(), None, TALK)
    assert list(tmp_path.iterdir()) == [model]


def test_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no model here"):
        export(tmp_path / "none", None, ExportSettings(), None, TALK)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_nothing_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        export(tmp_path / "none", None, ExportSettings(), None, TALK)


# what it is verified with


@pytest.fixture(scope="module")
def translator(trained_workspace: Path) -> Translator:
    return load(trained_workspace / "model", device="cpu")


def test_the_first_pairs_of_the_validation_split_are_taken(
    trained_workspace: Path, translator: Translator
) -> None:
    pairs = Verification(Workspace(trained_workspace)).pairs(5, translator, TALK)
    assert len(pairs) == 5
    assert all(pair.target.split() == pair.source.split()[::-1] for pair in pairs)
    assert pairs[0].line.where.startswith("the validation split, line ")


def test_a_file_takes_the_place_of_the_split(tmp_path: Path, translator: Translator) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("one\tone\n\ttwo\nsix\tsix\n")
    assert [pair.source for pair in given(path).pairs(5, translator, TALK)] == ["one", "six"]


def test_without_a_split_a_file_is_asked_for(tmp_path: Path, translator: Translator) -> None:
    with pytest.raises(
        MissingInputError, match=r"no corpus here; .*or use a file of pairs: --verify"
    ):
        Verification(Workspace(tmp_path / "none")).pairs(5, translator, TALK)
