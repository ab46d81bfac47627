"""What an export says of itself, and what is refused of a folder that says something else."""

from pathlib import Path

import pytest

from s2scli.errors import CheckpointError
from s2scli.export.targets import TARGETS
from s2scli.manifest import new_folder, read_manifest
from s2scli.report.readings import BEST_HEADS
from s2scli.search.settings import SearchSettings
from s2scli.translation.export_engine import (
    Export,
    ExportEngine,
    ExportFacts,
    ranking_score,
    read_export,
)
from tests.folders import letters_of
from tests.translation.engines import FACTS


def test_it_knows_what_the_manifest_says() -> None:
    search = SearchSettings(beam_size=3)
    facts = ExportFacts(
        name="tiny", quantization="int8", max_source_tokens=9, positions=20, search=search
    )
    engine = ExportEngine(None, letters_of(["abc"] * 9), facts)
    assert engine.settings == search
    assert (engine.max_source_tokens, engine.positions(4)) == (9, 4)
    assert (engine.attention_shape, engine.reading) == (None, BEST_HEADS)
    assert not engine.is_latent


def test_the_score_is_the_sum_by_a_power_of_the_length() -> None:
    settings = SearchSettings(length_penalty=2.0)
    assert ranking_score((-1.0, -2.0, -3.0), settings) == -6.0 / 9


def test_an_export_of_version_0_1_is_read(tmp_path: Path) -> None:
    """It called positions places."""
    facts = FACTS.model_dump(mode="json")
    facts["places"] = facts.pop("positions")
    with new_folder(tmp_path / "export", "ctranslate2") as draft:
        draft.facts = facts
    manifest = read_manifest(tmp_path / "export", "ctranslate2")
    assert Export.of(tmp_path / "export", manifest).facts == FACTS


def test_a_manifest_that_says_something_else_is_refused(tmp_path: Path) -> None:
    with new_folder(tmp_path / "export", "ctranslate2") as draft:
        draft.facts = {"name": "x"}
    manifest = read_manifest(tmp_path / "export", "ctranslate2")
    with pytest.raises(CheckpointError, match="not an export of s2s"):
        Export.of(tmp_path / "export", manifest)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    with new_folder(tmp_path / "export", "onnx", made_from={"tokenizer": "another"}) as draft:
        draft.facts = FACTS.model_dump(mode="json")
        letters_of(["abc"] * 9).write(draft.path)
    with pytest.raises(CheckpointError, match="its tokenizer is not the model's"):
        read_export(tmp_path / "export", TARGETS["onnx"])
