"""Transformers' own search on an export writes what ours writes, with the same probabilities."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2scli.config import load_recipe
from s2scli.errors import UsageError
from s2scli.export.settings import ExportSettings
from s2scli.export.targets import TARGETS
from s2scli.model.weights import model_weights
from s2scli.pipeline.export import export_facts
from s2scli.search.limits import longest_output
from s2scli.search.rules import Demand, Rules
from s2scli.translation.model_folder import load_model_folder, write_model_folder
from s2scli.translation.options import Wanted
from s2scli.translation.torch_engine import translator_of
from s2scli.translation.transformers_engine import TransformersEngine
from tests.export.varieties import MARIAN, TEXTS, letters, variety
from tests.export.varieties import TARGETS as REFERENCES

CPU = torch.device("cpu")
PLAIN = Wanted(attention=False)


def engines(name: str, folder: Path) -> tuple[Any, TransformersEngine]:
    """Return our engine and theirs for a variety of the model."""
    tokenizers = letters()
    settings, model = variety(MARIAN[name], tokenizers)
    recipe = load_recipe("vaswani2017").model_copy(update={"model": settings})
    write_model_folder(folder / "model", recipe, model_weights(model), tokenizers, {})
    loaded = load_model_folder(folder / "model", CPU)
    target = TARGETS["huggingface"]
    (folder / "theirs").mkdir()
    facts = export_facts(loaded, ExportSettings(to="huggingface"))
    target.write(
        folder / "theirs",
        settings,
        loaded.model.state_dict(),
        tokenizers,
        facts.positions,
        "none",
        facts.recommended,
    )
    program = target.open(folder / "theirs", "cpu")
    assert target.encode(folder / "theirs", TEXTS) == [
        [*tokenizers.texts[0].encode(text), 3] for text in TEXTS
    ]
    return translator_of(loaded, device=CPU), TransformersEngine(program, tokenizers, facts)


@pytest.mark.slow
@pytest.mark.parametrize("name", MARIAN)
def test_outputs_and_scores_are_ours(name: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    ours, theirs = engines(name, tmp_path)
    sources = [ours.source.encode(text) for text in TEXTS]
    targets = [ours.target.encode(text) for text in REFERENCES]
    own = ours.engine.settings
    for one, other in zip(
        ours.engine.force(sources, targets, own, PLAIN),
        theirs.force(sources, targets, own, PLAIN),
        strict=True,
    ):
        assert other.token_scores == pytest.approx(one.token_scores, abs=1e-4)
        assert other.score == pytest.approx(one.score, abs=1e-4)
    compared = 0
    for beam in (1, 3):
        settings = own.model_copy(update={"beam_size": beam, "n_best": beam})
        for mine, found in zip(
            ours.engine.search(sources, settings, PLAIN),
            theirs.search(sources, settings, PLAIN),
            strict=True,
        ):
            assert len(found) == beam
            if beam == 1 or len(found[0].token_ids) < longest_output(3, settings):
                assert found[0].token_ids == mine[0].token_ids
                compared += beam > 1
    assert compared > 2


def test_constraints_are_refused() -> None:
    facts: Any = type("Facts", (), {"search": "search", "max_source_tokens": 9})()
    engine = TransformersEngine(None, letters(), facts)
    with pytest.raises(UsageError, match="does not support constraints"):
        engine.search(
            [np.array([4])], engine.settings, PLAIN, Rules(demands=(Demand(prefix=(4,)),))
        )
