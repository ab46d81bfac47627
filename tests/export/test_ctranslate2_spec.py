"""The specification holds our weights, all of them and nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.export.ctranslate2_spec import make_spec, write_spec
from s2scli.export.model_bin import CONFIG, SHARED, read_variables
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.transformer.entrance import Entrance
from s2scli.special_ids import BOS_ID, EOS_ID, UNK_ID
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.export.varieties import POSITIONS, VARIETIES, letters, variety
from tests.models import transformer_tree

pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")

each_variety = pytest.mark.parametrize("name", VARIETIES)


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return letters()


def spec_of(name: str, tokenizers: Tokenizers) -> tuple[Any, Seq2Seq]:
    settings, model = variety(VARIETIES[name], tokenizers)
    return make_spec(settings, model.state_dict(), tokenizers, POSITIONS), model


def tensors_of(spec: Any) -> dict[str, NDArray[Any]]:
    """Return the tensors of a specification by name, without its numbers and switches."""
    variables: Mapping[str, Any] = spec.variables()
    arrays = {name: value for name, value in variables.items() if isinstance(value, np.ndarray)}
    return {name: array for name, array in arrays.items() if array.ndim}


def is_of_the_entrance(name: str) -> bool:
    """Whether the specification may hold these weights in another form than the model."""
    return ".entrance." in name or name.startswith(("source.", "target."))


@each_variety
def test_the_library_misses_nothing(name: str, tokenizers: Tokenizers) -> None:
    spec, _ = spec_of(name, tokenizers)
    spec.validate()  # raises for what is not set


@each_variety
def test_tensors_are_float32_and_share_no_memory_with_the_model(
    name: str, tokenizers: Tokenizers
) -> None:
    spec, model = spec_of(name, tokenizers)
    weights = [weight.numpy() for weight in model.state_dict().values()]
    for array in tensors_of(spec).values():
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert not any(np.shares_memory(array, weight) for weight in weights)


@each_variety
def test_behind_the_entrance_every_weight_is_there_once(name: str, tokenizers: Tokenizers) -> None:
    spec, model = spec_of(name, tokenizers)
    theirs = [
        array.ravel()
        for tensor, array in tensors_of(spec).items()
        if "embeddings" not in tensor and "position_encodings" not in tensor
    ]
    ours = [
        weight.numpy().ravel()
        for weight_name, weight in model.state_dict().items()
        if not is_of_the_entrance(weight_name)
    ]
    np.testing.assert_array_equal(np.sort(np.concatenate(theirs)), np.sort(np.concatenate(ours)))


@each_variety
def test_vectors_enter_the_stack_as_in_the_model(name: str, tokenizers: Tokenizers) -> None:
    spec, model = spec_of(name, tokenizers)
    for side, stack, embeddings in (
        ("source", spec.encoder, spec.encoder.embeddings[0]),
        ("target", spec.decoder, spec.decoder.embeddings),
    ):
        part = model.get_submodule("encoder" if side == "source" else "decoder")
        expected = entered(part, model.state_dict(), side)
        found = np.asarray(embeddings.weight, np.float32)
        if stack.scale_embeddings:
            found = found * np.sqrt(found.shape[1])
        if (encodings := tensors_of(stack).get("position_encodings/encodings")) is not None:
            found = found + encodings[: len(found)]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def entered(part: torch.nn.Module, weights: Mapping[str, Tensor], side: str) -> NDArray[Any]:
    """Return the vectors of all tokens, in a row, as a part of the model begins with them."""
    (table,) = (weight for name, weight in weights.items() if name.startswith(f"{side}."))
    entrance = part.get_submodule("entrance")
    assert isinstance(entrance, Entrance)
    states, _ = entrance(table[None], 0)
    return np.asarray(states[0])


def test_learned_positions_beyond_the_last_are_the_last(tokenizers: Tokenizers) -> None:
    spec, model = spec_of("learned", tokenizers)
    learned = model.state_dict()["encoder.entrance.learned.table.weight"].numpy()
    encodings = spec.encoder.position_encodings.encodings
    assert encodings.shape == (POSITIONS, learned.shape[1])
    assert (encodings[len(learned) :] == learned[-1]).all()


def test_words_are_the_pieces_and_the_special_ones_are_named(
    tokenizers: Tokenizers, tmp_path: Path
) -> None:
    settings, model = variety(transformer_tree(), tokenizers)
    write_spec(tmp_path, settings, model.state_dict(), tokenizers, POSITIONS, "none")
    _, target = tokenizers.texts
    pieces = target.vocabulary
    assert json.loads((tmp_path / SHARED).read_text()) == pieces
    config = json.loads((tmp_path / CONFIG).read_text())
    assert config["decoder_start_token"] == config["bos_token"] == pieces[BOS_ID]
    assert (config["eos_token"], config["unk_token"]) == (pieces[EOS_ID], pieces[UNK_ID])
    assert (config["add_source_bos"], config["add_source_eos"]) == (False, True)


@pytest.mark.parametrize(
    ("quantization", "kind"),
    [("none", "f"), ("float32", "f"), ("int8", "b"), ("int16", "h"), ("float16", "e")],
)
def test_quantization_is_the_files_and_leaves_the_model_alone(
    quantization: Any, kind: str, tokenizers: Tokenizers, tmp_path: Path
) -> None:
    settings, model = variety(transformer_tree(), tokenizers)
    weights = model.state_dict()
    before = {name: weight.clone() for name, weight in weights.items()}
    write_spec(tmp_path, settings, weights, tokenizers, POSITIONS, quantization)
    assert read_variables(tmp_path / "model.bin")["decoder/projection/weight"].type == kind
    assert all(torch.equal(weights[name], weight) for name, weight in before.items())
