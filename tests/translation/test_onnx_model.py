"""The graphs of an export, as a model of our search: the laws that hold for every model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2scli.data.batch import make_batch, make_source
from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.onnx import Onnx, Sessions
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import DecoderState
from s2scli.search.forced import force
from s2scli.special_ids import BOS_ID
from s2scli.translation.onnx_model import OnnxModel
from tests.export.varieties import (
    POSITIONS,
    RECOMMENDED,
    TARGETS,
    TEXTS,
    VARIETIES,
    ids_of,
    letters,
    variety,
)

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def both(folder: Path, name: str = "pre-norm") -> tuple[Seq2Seq, OnnxModel]:
    settings, model = variety(VARIETIES[name], letters())
    Onnx().write(folder, settings, model.state_dict(), letters(), POSITIONS, "none", RECOMMENDED)
    return model, OnnxModel(Onnx().open(folder, "cpu"))


def arrays(texts: Sequence[str]) -> list[NDArray[np.int32]]:
    """Return the ids of texts."""
    return [np.array(ids, np.int32) for ids in ids_of(texts, letters())]


def test_it_knows_its_shapes(tmp_path: Path) -> None:
    model, found = both(tmp_path, "two widths")
    assert found.attention_shape == model.attention_shape
    assert found.vocab_size == model.vocab_size
    assert not found.has_ctc
    with pytest.raises(ConfigError, match="no CTC layer"):
        found.ctc_log_probs(found.encode(torch.tensor([[4, 3]]), torch.tensor([2])))
    lengths = torch.tensor([2, 5])
    assert found.positions(lengths) is lengths


@pytest.mark.parametrize("name", VARIETIES)
def test_steps_of_a_beam_that_is_reordered_and_shrinks_are_those_of_the_model(
    name: str, tmp_path: Path
) -> None:
    model, found = both(tmp_path, name)
    source, lengths = make_source(arrays(TEXTS[:3]), ends=True)
    states: list[DecoderState] = [
        model.start(model.encode(source, lengths)),
        found.start(found.encode(source, lengths)),
    ]
    tokens = torch.full((3,), BOS_ID)
    random = torch.Generator().manual_seed(0)
    sentences = 3
    for step, beam in enumerate((3, 3, 3, 2, 2)):
        with torch.inference_mode():
            expected = model.step(tokens, states[0], attention=True)
            got = found.step(tokens, states[1], attention=True)
        assert got.logits.shape == expected.logits.shape
        assert np.allclose(got.logits[:, 3:], expected.logits[:, 3:], atol=1e-3)
        assert expected.attention_weights is not None and got.attention_weights is not None
        assert np.allclose(got.attention_weights, expected.attention_weights, atol=1e-3)
        before = len(tokens) // sentences
        parents = torch.randint(0, before, (sentences, beam), generator=random)
        rows = (parents + torch.arange(sentences)[:, None] * before).flatten()
        states = [one.state.reorder(rows) for one in (expected, got)]
        if step == 2:
            kept = torch.tensor([0, 2])
            states, sentences = [state.keep(kept) for state in states], 2
        tokens = torch.randint(4, 12, (sentences * beam,), generator=random)


def test_all_at_once_is_what_the_model_scores(tmp_path: Path) -> None:
    model, found = both(tmp_path)
    batch = make_batch(arrays(TEXTS), arrays(TARGETS))
    for one, other in zip(force(model, batch, 1.0), force(found, batch, 1.0), strict=True):
        assert other.token_ids == one.token_ids
        assert other.token_scores == pytest.approx(one.token_scores, abs=1e-4)
        assert other.first_choices == one.first_choices
        assert one.attention_weights is not None and other.attention_weights is not None
        assert np.allclose(other.attention_weights, one.attention_weights, atol=1e-5)


def test_other_graphs_are_refused(tmp_path: Path) -> None:
    both(tmp_path)
    sessions = Onnx().open(tmp_path, "cpu")
    for wrong in (
        Sessions(sessions.encoder, sessions.encoder),
        Sessions(sessions.decoder, sessions.decoder),
    ):
        with pytest.raises(CheckpointError, match="not the graphs of an export of s2s"):
            OnnxModel(wrong)
