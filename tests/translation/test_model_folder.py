"""A model that is read from its folder is ready to run, and says what the written one says."""

from pathlib import Path

import numpy as np
import pytest
import torch

from s2scli.data.batch import make_batch
from s2scli.model.decoder.recurrent import RecurrentDecoder
from s2scli.model.layers import linear
from s2scli.model.layers.linear import Linear
from s2scli.model.seq2seq import Seq2Seq
from s2scli.translation.model_folder import load_model_folder
from tests.folders import letters_of, write_model
from tests.one_dnn import needs_one_dnn

SOURCES, TARGETS = ((4, 5, 6), (7, 4)), ((5, 4), (6, 7, 8, 9))
CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("quick_fsync")


@pytest.mark.parametrize("recipe", ["tiny", "transformer-tiny"])
@needs_one_dnn
def test_a_loaded_model_is_packed_and_says_the_same(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path / "model", letters_of(["abcde fghij"] * 30), recipe=recipe)
    packed = {}
    for wanted in (False, True):
        monkeypatch.setattr(linear, "processor_wants_one_dnn", lambda wanted=wanted: wanted)
        packed[wanted] = load_model_folder(folder, CPU).model
        layers = [layer for layer in packed[wanted].modules() if isinstance(layer, Linear)]
        assert all((layer.packed is not None) == wanted for layer in layers)
        assert packs_steps(packed[wanted]) == (wanted and recipe == "tiny")
    sources, targets = ([np.array(ids, np.int32) for ids in side] for side in (SOURCES, TARGETS))
    batch = make_batch(sources, targets)
    with torch.inference_mode():
        plain, found = (model.logits(model(batch).hidden) for model in packed.values())
    torch.testing.assert_close(found, plain, atol=1e-4, rtol=1e-4)


def packs_steps(model: Seq2Seq) -> bool:
    """Whether the single steps of a recurrent decoder have their weights laid out."""
    decoders = [part for part in model.modules() if isinstance(part, RecurrentDecoder)]
    pairs = [pair for decoder in decoders for pair in decoder.steps.packed]
    return bool(pairs) and all(weight is not None for pair in pairs for weight in pair)
