"""Law: an export to ONNX writes what the model writes, by every rule of the search."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.stream import Line
from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.settings import ExportSettings
from s2scli.manifest import verify_folder
from s2scli.pipeline.export import export
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.translation import onnx_engine, torch_engine
from s2scli.translation.constraints import Constraints
from s2scli.translation.glossary import Glossary
from s2scli.translation.onnx_engine import TARGET, OnnxEngine
from s2scli.translation.options import Options, Wanted
from s2scli.translation.results import Translation
from s2scli.translation.translator import Translator
from tests.export.varieties import POSITIONS, RECOMMENDED, TEXTS, VARIETIES, letters, variety
from tests.folders import letters_of, write_transformer
from tests.translation.engines import (
    FACTS,
    assert_same,
    force,
    in_torch,
    largest_difference,
    search,
)

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def both(folder: Path, name: str = "pre-norm") -> tuple[Translator, Translator]:
    """Return a model in PyTorch, and as ONNX Runtime has it."""
    tokenizers = letters()
    settings, model = variety(VARIETIES[name], tokenizers)
    TARGET.write(folder, settings, model.state_dict(), tokenizers, POSITIONS, "none", RECOMMENDED)
    engine = OnnxEngine.of(TARGET.open(folder, "cpu"), tokenizers, FACTS)
    return in_torch(name, settings, model), Translator.of(engine, tokenizers)


def assert_all_same(ours: Sequence[Translation], theirs: Sequence[Translation]) -> None:
    """Check that two engines found the same outputs, in the same order, with the same scores."""
    for one, other in zip(ours, theirs, strict=True):
        assert_same(one, other)
        assert [found.pieces for found in other.hypotheses] == [
            found.pieces for found in one.hypotheses
        ]
        for mine, found in zip(one.hypotheses, other.hypotheses, strict=True):
            assert found.score == pytest.approx(mine.score, abs=1e-4)


@pytest.mark.parametrize("name", VARIETIES)
def test_given_targets_have_the_same_scores(name: str, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, name)
    assert largest_difference(force(ours), force(theirs)) < 1e-4


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("name", VARIETIES)
def test_the_same_outputs_are_found(name: str, beam_size: int, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, name)
    settings = SearchSettings(beam_size=beam_size, n_best=beam_size)
    assert_all_same(search(ours, settings), search(theirs, settings))


@pytest.mark.parametrize(
    "settings",
    [
        SearchSettings(sample=True, seed=3, n_best=2),
        SearchSettings(beam_size=4, beam_groups=2, diversity_penalty=0.5, n_best=4),
        SearchSettings(beam_size=3, no_repeat_ngram=2, min_length=4),
        SearchSettings(beam_size=3, coverage_penalty=0.4, length_penalty=0.6, length_offset=5.0),
        SearchSettings(beam_size=2, max_length=3),
    ],
)
def test_every_setting_of_the_search_works(settings: SearchSettings, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path)
    assert_all_same(search(ours, settings), search(theirs, settings))


def test_constraints_hold(tmp_path: Path) -> None:
    ours, theirs = both(tmp_path)
    constraints = Constraints(glossary=Glossary({"abc": "jig"}, "terms", {"abc": 1}))
    options = Options(SearchSettings(), speller=theirs.speller(constraints))
    found = [
        [record.text for record in one.translate([Line("f", 1, "abc")], options)]
        for one in (ours, theirs)
    ]
    assert found[0] == found[1]
    assert "jig" in found[1][0].split()


def test_attention_is_that_of_the_model(tmp_path: Path) -> None:
    ours, theirs = both(tmp_path)
    assert theirs.engine.attention_shape == ours.engine.attention_shape
    settings = SearchSettings(beam_size=3)
    for one, other in zip(search(ours, settings), search(theirs, settings), strict=True):
        mine, found = one.hypotheses[0].attention, other.hypotheses[0].attention
        assert mine is not None and found is not None
        assert np.allclose(found, mine, atol=1e-3)


def test_the_others_of_a_batch_and_of_a_server_change_no_output(
    tmp_path: Path,
) -> None:
    _, theirs = both(tmp_path)
    settings = SearchSettings(beam_size=3, n_best=3)
    together = search(theirs, settings)
    assert_all_same([one for text in TEXTS for one in search(theirs, settings, [text])], together)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: search(theirs, settings), range(4)):
            assert_all_same(found, together)


def test_a_folder_is_loaded_and_knows_itself(tmp_path: Path) -> None:
    model = write_transformer(tmp_path / "model")
    export(model, None, ExportSettings(to="onnx"), None, Talk(quiet=True))
    folder = tmp_path / "model-onnx"
    loaded = onnx_engine.load(folder)
    assert loaded.identity == (verify_folder(folder, "onnx").digest,)
    ours = torch_engine.load(model, device="cpu")
    wanted = Wanted(attention=True)
    lines = [Line("f", 1, "face"), Line("f", 2, "bad cab")]
    for one, other in zip(
        ours.translate(lines, Options(ours.engine.settings, wanted=wanted)),
        loaded.translate(lines, Options(loaded.engine.settings, wanted=wanted)),
        strict=True,
    ):
        assert (one.status, one.text) == (other.status, other.text)
    assert loaded.engine.reading == ours.engine.reading
    with pytest.raises(ConfigError, match="--device cuda: s2s runs ONNX Runtime on the CPU only"):
        onnx_engine.load(folder, "cuda")
    (folder / "decoder.onnx").write_bytes(b"")
    with pytest.raises(CheckpointError, match="decoder"):
        onnx_engine.load(folder)


def test_graphs_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    both(tmp_path)
    other = letters_of(["abc"])
    with pytest.raises(CheckpointError, match="they do not belong together"):
        OnnxEngine.of(TARGET.open(tmp_path, "cpu"), other, FACTS)
