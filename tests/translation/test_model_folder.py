"""A model that is read from its folder is ready to run, and says what the written one says."""

from pathlib import Path

import numpy as np
import pytest
import torch

from s2scli.data.batch import make_batch
from s2scli.errors import TokenizerError
from s2scli.model.decoder.recurrent import RecurrentDecoder
from s2scli.model.kernels.layout import Layout
from s2scli.model.kernels.linear import Linear
from s2scli.model.seq2seq import Seq2Seq
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation import torch_engine
from s2scli.translation.model_folder import describe_model_folder, load_model_folder
from tests.folders import letters_of, write_model
from tests.machines import multiply_by_one_dnn, needs_one_dnn

SOURCES, TARGETS = ((4, 5, 6), (7, 4)), ((5, 4), (6, 7, 8, 9))
CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("quick_fsync")


def test_a_model_published_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never the weights of one model with the recipe or the tokenizer of another."""
    old, new = letters_of(["abcde fghij"] * 30), letters_of(["klmnopqrst"] * 30)
    folder, load = write_model(tmp_path / "model", old), Tokenizers.load
    published: list[Path] = []

    def load_late(path: Path) -> Tokenizers:
        if not published:
            published.append(write_model(folder, new, "training.max_length=77"))
            raise TokenizerError("half of the old model, half of the new one")
        return load(path)

    for read in (load_model_folder, lambda path, device: describe_model_folder(path)):
        write_model(folder, old)
        published.clear()
        monkeypatch.setattr(Tokenizers, "load", load_late)
        found = read(folder, CPU)
        monkeypatch.setattr(Tokenizers, "load", load)
        assert found.tokenizers.digest == new.digest == found.manifest.made_from["tokenizer"]
        assert found.recipe.training.max_length == 77


def layouts_of(model: Seq2Seq) -> list[Layout | None]:
    linears = [layer.layout for layer in model.modules() if isinstance(layer, Linear)]
    decoders = [part for part in model.modules() if isinstance(part, RecurrentDecoder)]
    return linears + [
        layout for decoder in decoders for both in decoder.steps.layouts for layout in both
    ]


@pytest.mark.parametrize("recipe", ["tiny", "transformer-tiny"])
@needs_one_dnn
def test_loading_lays_nothing_out_and_a_search_does(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path / "model", letters_of(["abcde fghij"] * 30), recipe=recipe)
    multiply_by_one_dnn(monkeypatch)
    plain = load_model_folder(folder, CPU).model
    engine = torch_engine.load(folder, device="cpu").engine
    assert isinstance(engine, torch_engine.TorchEngine)
    laid_out = engine.model
    assert isinstance(laid_out, Seq2Seq)
    assert not any(layouts_of(plain))
    assert all(layouts_of(laid_out))
    sources, targets = ([np.array(ids, np.int32) for ids in side] for side in (SOURCES, TARGETS))
    batch = make_batch(sources, targets)
    with torch.inference_mode():
        expected, found = (model.logits(model(batch).hidden) for model in (plain, laid_out))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
