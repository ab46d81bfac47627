"""Our weights under their names, and back."""

from pathlib import Path

import pytest
import torch

from s2scli.export.marian import SHARED, layer_names, marian_config, marian_tensors, ties
from s2scli.export.targets import TARGETS
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.export.importing import CPU, imported
from tests.export.varieties import MARIAN, POSITIONS, RECOMMENDED, letters, variety
from tests.models import small_batch

TARGET = TARGETS["huggingface"]


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return letters()


@pytest.mark.parametrize("name", MARIAN)
def test_an_export_comes_back_as_the_same_model(
    name: str, tokenizers: Tokenizers, tmp_path: Path
) -> None:
    settings, model = variety(MARIAN[name], tokenizers)
    assert not TARGET.obstacles(settings)
    folder = tmp_path / "theirs"
    folder.mkdir()
    TARGET.write(folder, settings, model.state_dict(), tokenizers, POSITIONS, "none", RECOMMENDED)
    found = imported(folder, tmp_path / "model").loaded
    assert found.tokenizers.joint
    assert found.tokenizers.texts[0].vocabulary == tokenizers.texts[0].vocabulary
    batch = small_batch()
    with torch.inference_mode():
        ours, theirs = (one.logits(one(batch).hidden) for one in (model, found.model.to(CPU)))
    assert torch.allclose(theirs, ours, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MARIAN)
def test_every_weight_of_the_layers_is_there_once(name: str, tokenizers: Tokenizers) -> None:
    settings, model = variety(MARIAN[name], tokenizers)
    weights = model.state_dict()
    tensors = marian_tensors(settings, weights)
    layers = {"encoder": settings.encoder.num_layers, "decoder": settings.decoder.num_layers}
    names = layer_names(layers)
    assert names.keys() == {one for one in weights if ".layers." in one}
    for ours, theirs in names.items():
        assert torch.equal(torch.cat([tensors[one] for one in theirs]), weights[ours])
    assert all(tensor.is_contiguous() for tensor in tensors.values())


def test_ties_are_those_of_the_model(tokenizers: Tokenizers) -> None:
    expected = {"tied": (True, True), "target tied": (False, True), "untied": (False, True)}
    for name, tie in expected.items():
        settings, model = variety(MARIAN[name], tokenizers)
        weights = model.state_dict()
        if name == "untied":  # auto ties what it can
            tie = ties(weights)
        assert ties(weights) == tie
        config = marian_config(settings, weights, POSITIONS)
        assert config["share_encoder_decoder_embeddings"] == tie[0]
        assert config["tie_word_embeddings"] == tie[1]
        assert (SHARED in marian_tensors(settings, weights)) == tie[0]


def test_a_projection_is_multiplied_into_the_table(tokenizers: Tokenizers) -> None:
    settings, model = variety(MARIAN["projected"], tokenizers)
    config = marian_config(settings, model.state_dict(), POSITIONS)
    assert not config["scale_embedding"]
    assert config["d_model"] == 8
