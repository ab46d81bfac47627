"""Law: CTranslate2 gives every token the probability that our forward pass gives it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from s2scli.pipeline.batches import similar_batches
from s2scli.pipeline.exported import (
    BATCH_TOKENS,
    ExportedTranslator,
    ExportFacts,
    longest_allowed,
    open_engine,
)
from s2scli.pipeline.translation import Translation
from s2scli.pipeline.translator import Translator

from s2scli.config import Recipe
from s2scli.errors import ConfigError, MissingExtraError
from s2scli.export.ctranslate2 import (
    obstacles,
    require_exportable,
    say_obstacles,
    write_ctranslate2,
)
from s2scli.export.extra import require_ctranslate2
from s2scli.export.settings import Quantization
from s2scli.model.settings import ModelSettings
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, load_settings
from tests.export.varieties import PLACES, TARGETS, TEXTS, VARIETIES, letters, variety
from tests.models import MODELS, model_tree, transformer_tree

needs_ctranslate2 = pytest.mark.skipif(
    importlib.util.find_spec("ctranslate2") is None,
    reason="ctranslate2 is not installed",
)
FACTS = ExportFacts(
    name="test", quantization="none", max_source_tokens=32, places=PLACES, search=SearchSettings()
)


def both(
    folder: Path, name: str, quantization: Quantization = "none"
) -> tuple[Translator, ExportedTranslator]:
    """Return a model in PyTorch, and as CTranslate2 has it."""
    tokenizers = letters()
    settings, model = variety(VARIETIES[name], tokenizers)
    write_ctranslate2(folder, settings, model.state_dict(), tokenizers, PLACES, quantization)
    recipe = Recipe(name=name, model=settings)
    ours = Translator(recipe, model, tokenizers, torch.device("cpu"))
    return ours, ExportedTranslator(open_engine(folder, "cpu"), tokenizers, FACTS)


def largest_difference(ours: list[Translation], theirs: list[Translation]) -> float:
    """Return the largest difference of a token's score between the same hypotheses."""
    pairs = [
        (one.hypotheses[0].token_scores, other.hypotheses[0].token_scores)
        for one, other in zip(ours, theirs, strict=True)
    ]
    return max(float(np.abs(np.subtract(one, other)).max()) for one, other in pairs)


@needs_ctranslate2
@pytest.mark.parametrize("name", VARIETIES)
def test_given_targets_have_the_same_scores(name: str, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, name)
    forced = ours.force(TEXTS, TARGETS), theirs.force(TEXTS, TARGETS)
    assert largest_difference(*forced) < 1e-4
    for one, other in zip(*forced, strict=True):
        assert one.hypotheses[0].pieces == other.hypotheses[0].pieces
        assert one.hypotheses[0].score == pytest.approx(other.hypotheses[0].score, abs=1e-4)


@needs_ctranslate2
@pytest.mark.parametrize("name", VARIETIES)
def test_the_same_outputs_are_found(name: str, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, name)
    for search in (SearchSettings(beam_size=1), SearchSettings(beam_size=1, max_length=3)):
        found = theirs.search(TEXTS, search)
        for one, other in zip(ours.search(TEXTS, search), found, strict=True):
            assert_same(one, other)


@needs_ctranslate2
@pytest.mark.parametrize("name", VARIETIES)
def test_a_beam_finds_the_same_outputs_but_for_those_that_are_cut(
    name: str, tmp_path: Path
) -> None:
    ours, theirs = both(tmp_path, name)
    search = SearchSettings(beam_size=4, length_penalty=0.0)
    compared = 0
    for one, other in zip(ours.search(TEXTS, search), theirs.search(TEXTS, search), strict=True):
        longest = longest_allowed(len(other.source_pieces) - 1, search)
        if len(other.hypotheses[0].pieces) < longest:
            assert_same(one, other)
            compared += 1
    assert compared > len(TEXTS) / 2


@needs_ctranslate2
@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("name", VARIETIES)
def test_the_others_of_a_batch_change_no_output(
    name: str, beam_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(tokens: int, settings: SearchSettings) -> int:
        return tokens // 2 + 1

    monkeypatch.setattr("s2scli.pipeline.exported.longest_allowed", short)
    _, theirs = both(tmp_path, name)
    search = SearchSettings(beam_size=beam_size, n_best=beam_size)
    together = theirs.search(TEXTS, search)
    assert len(similar_batches([len(text) for text in TEXTS], BATCH_TOKENS, 2)) == 1
    for text, other in zip(TEXTS, together, strict=True):
        (one,) = theirs.search([text], search)
        assert [found.pieces for found in other.hypotheses] == [
            found.pieces for found in one.hypotheses
        ]
        assert max(len(found.pieces) for found in other.hypotheses) <= short(len(text), search)
        for mine, found in zip(one.hypotheses, other.hypotheses, strict=True):
            assert found.score == pytest.approx(mine.score, abs=1e-4)


@needs_ctranslate2
def test_one_hypothesis_has_no_score_unless_it_is_asked_for(tmp_path: Path) -> None:
    _, theirs = both(tmp_path, "pre-norm")
    for beam_size, known in ((1, False), (2, True)):
        search = SearchSettings(beam_size=beam_size)
        scored = theirs.search(TEXTS, search, with_attention=False)
        plain = theirs.search(TEXTS, search, with_attention=False, with_scores=False)
        for one, other in zip(scored, plain, strict=True):
            assert other.hypotheses[0].pieces == one.hypotheses[0].pieces
            assert one.hypotheses[0].score < 0
            assert other.hypotheses[0].score == (one.hypotheses[0].score if known else 0)


def assert_same(one: Translation, other: Translation) -> None:
    """Check that two engines found one best output, and gave it the same scores."""
    assert other.source_pieces == one.source_pieces
    mine, found = one.hypotheses[0], other.hypotheses[0]
    assert found.pieces == mine.pieces
    assert found.text == mine.text
    assert found.score == pytest.approx(mine.score, abs=1e-4)
    assert found.token_scores == pytest.approx(mine.token_scores, abs=1e-4)


@needs_ctranslate2
@pytest.mark.parametrize("name", VARIETIES)
def test_with_a_length_penalty_nothing_better_is_found(name: str, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, name)
    search = SearchSettings(beam_size=3, n_best=3)
    for one, other in zip(ours.search(TEXTS, search), theirs.search(TEXTS, search), strict=True):
        assert other.hypotheses[0].score <= one.hypotheses[0].score + 1e-4
        scores = [found.score for found in other.hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({found.pieces for found in other.hypotheses}) == len(scores)


@needs_ctranslate2
@pytest.mark.parametrize("quantization", ["int8", "int8_float32", "int16", "float16", "bfloat16"])
def test_quantized_weights_are_near(quantization: Quantization, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, "pre-norm", quantization)
    difference = largest_difference(ours.force(TEXTS, TARGETS), theirs.force(TEXTS, TARGETS))
    assert 0 < difference < 1.0


@pytest.mark.parametrize("name", MODELS)
def test_recurrent_models_do_not_export_and_transformers_do(name: str) -> None:
    settings = load_settings(ModelSettings, MODELS[name], "test")
    exports = not obstacles(settings)
    kinds = (settings.encoder.kind, settings.attention.kind, settings.decoder.kind)
    assert exports == (kinds == ("transformer", "multi_head", "transformer"))
    assert say_obstacles(settings).startswith("yes" if exports else "no: ")


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (model_tree(), "the encoder is recurrent (gru)"),
        (
            {**transformer_tree(), "decoder": model_tree("gru", "lstm")["decoder"]},
            "the decoder is recurrent (lstm)",
        ),
        (transformer_tree("additive"), "not by additive"),
        (transformer_tree(decoder={"num_heads": 4}), "(2 here) as for itself (4)"),
        (
            {**transformer_tree(), "connection": {"kind": "mean", "every_step": True}},
            "not by the connection mean",
        ),
        (transformer_tree(encoder={"norm": "rms"}), "here they differ"),
    ],
)
def test_what_cannot_be_exported_says_why(tree: Tree, reason: str) -> None:
    settings = load_settings(ModelSettings, tree, "test")
    assert reason in say_obstacles(settings)
    with pytest.raises(ConfigError, match="cannot be exported to CTranslate2: "):
        require_exportable(settings)


def test_without_ctranslate2_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 's2scli\[ctranslate2\]'") as raised:
        require_ctranslate2()
    assert raised.value.exit_status == 69


@needs_ctranslate2
def test_the_engine_does_without_torch() -> None:
    program = (
        "import sys; from s2scli.pipeline.engine import load_translator; "
        "from s2scli.pipeline.translate import translate; "
        "sys.exit('torch' in sys.modules or 'pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
