"""Law: CTranslate2 gives every token the probability that our forward pass gives it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from s2scli.errors import UsageError
from s2scli.export.settings import Quantization
from s2scli.search.limits import longest_output
from s2scli.search.rules import Demand, Rules
from s2scli.search.settings import SearchSettings
from s2scli.translation import ctranslate2_engine
from s2scli.translation.batches import similar_batches
from s2scli.translation.ctranslate2_engine import BATCH_TOKENS, TARGET, CTranslate2Engine
from s2scli.translation.options import Wanted
from s2scli.translation.translator import Translator
from tests.export.varieties import POSITIONS, RECOMMENDED, TEXTS, VARIETIES, letters, variety
from tests.translation.engines import (
    FACTS,
    assert_same,
    force,
    in_torch,
    largest_difference,
    search,
)

needs_ctranslate2 = pytest.mark.skipif(
    importlib.util.find_spec("ctranslate2") is None,
    reason="ctranslate2 is not installed",
)


def both(
    folder: Path, name: str, quantization: Quantization = "none"
) -> tuple[Translator, Translator]:
    """Return a model in PyTorch, and as CTranslate2 has it."""
    tokenizers = letters()
    settings, model = variety(VARIETIES[name], tokenizers)
    TARGET.write(
        folder, settings, model.state_dict(), tokenizers, POSITIONS, quantization, RECOMMENDED
    )
    theirs = CTranslate2Engine(TARGET.open(folder, "cpu"), tokenizers, FACTS)
    return in_torch(name, settings, model), Translator.of(theirs, tokenizers)


@needs_ctranslate2
@pytest.mark.parametrize("name", VARIETIES)
def test_given_targets_have_the_same_scores(name: str, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, name)
    forced = force(ours), force(theirs)
    assert largest_difference(*forced) < 1e-4
    for one, other in zip(*forced, strict=True):
        assert one.hypotheses[0].pieces == other.hypotheses[0].pieces
        assert one.hypotheses[0].score == pytest.approx(other.hypotheses[0].score, abs=1e-4)


@needs_ctranslate2
@pytest.mark.parametrize("name", VARIETIES)
def test_the_same_outputs_are_found(name: str, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, name)
    for settings in (SearchSettings(beam_size=1), SearchSettings(beam_size=1, max_length=3)):
        found = search(theirs, settings)
        for one, other in zip(search(ours, settings), found, strict=True):
            assert_same(one, other)


@needs_ctranslate2
@pytest.mark.parametrize("name", VARIETIES)
def test_a_beam_finds_the_same_outputs_but_for_those_that_are_cut(
    name: str, tmp_path: Path
) -> None:
    ours, theirs = both(tmp_path, name)
    settings = SearchSettings(beam_size=4, length_penalty=0.0)
    compared = 0
    for one, other in zip(search(ours, settings), search(theirs, settings), strict=True):
        longest = longest_output(len(other.source_pieces), settings)
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
    def short(source_tokens: int, settings: SearchSettings) -> int:
        return (source_tokens - 1) // 2 + 1

    monkeypatch.setattr(ctranslate2_engine, "longest_output", short)
    _, theirs = both(tmp_path, name)
    settings = SearchSettings(beam_size=beam_size, n_best=beam_size)
    together = search(theirs, settings)
    assert len(similar_batches([len(text) for text in TEXTS], BATCH_TOKENS, 2)) == 1
    for text, other in zip(TEXTS, together, strict=True):
        (one,) = search(theirs, settings, [text])
        assert [found.pieces for found in other.hypotheses] == [
            found.pieces for found in one.hypotheses
        ]
        longest = max(len(found.pieces) for found in other.hypotheses)
        assert longest <= short(len(text) + 1, settings)
        for mine, found in zip(one.hypotheses, other.hypotheses, strict=True):
            assert found.score == pytest.approx(mine.score, abs=1e-4)


@needs_ctranslate2
def test_one_hypothesis_has_no_score_unless_it_is_asked_for(tmp_path: Path) -> None:
    _, theirs = both(tmp_path, "pre-norm")
    for beam_size, known in ((1, False), (2, True)):
        settings = SearchSettings(beam_size=beam_size)
        scored = search(theirs, settings, wanted=Wanted())
        plain = search(theirs, settings, wanted=Wanted(scores=False))
        for one, other in zip(scored, plain, strict=True):
            assert other.hypotheses[0].pieces == one.hypotheses[0].pieces
            assert one.hypotheses[0].score < 0
            assert other.hypotheses[0].score == (one.hypotheses[0].score if known else 0)


@needs_ctranslate2
@pytest.mark.parametrize("name", VARIETIES)
def test_with_a_length_penalty_nothing_better_is_found(name: str, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, name)
    settings = SearchSettings(beam_size=3, n_best=3)
    for one, other in zip(search(ours, settings), search(theirs, settings), strict=True):
        assert other.hypotheses[0].score <= one.hypotheses[0].score + 1e-4
        scores = [found.score for found in other.hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({found.pieces for found in other.hypotheses}) == len(scores)


@needs_ctranslate2
@pytest.mark.parametrize("quantization", ["int8", "int8_float32", "int16", "float16", "bfloat16"])
def test_quantized_weights_are_near(quantization: Quantization, tmp_path: Path) -> None:
    ours, theirs = both(tmp_path, "pre-norm", quantization)
    difference = largest_difference(force(ours), force(theirs))
    assert 0 < difference < 1.0


@needs_ctranslate2
def test_the_engine_does_without_torch() -> None:
    program = (
        "import sys; from s2scli.translation.loading import load_translator; "
        "from s2scli.pipeline.translate import translate; "
        "sys.exit('torch' in sys.modules or 'pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_rules_are_refused() -> None:
    engine = CTranslate2Engine(None, letters(), FACTS)
    rules = Rules([Demand((4,))])
    with pytest.raises(UsageError, match="does not support constraints; use PyTorch"):
        engine.search([], SearchSettings(), Wanted(), rules)
