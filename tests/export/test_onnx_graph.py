"""The graphs compute what the model computes, whole and step by step, whatever the padding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2scli.export.onnx import Onnx, Sessions
from s2scli.export.onnx_graph import decoder_graph, encoder_graph
from s2scli.model.seq2seq import Seq2Seq
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID
from tests.export.varieties import POSITIONS, RECOMMENDED, VARIETIES, letters, variety

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

Arrays = dict[str, NDArray[Any]]
LENGTHS = torch.tensor([7, 3, 5])
STEPS = 5
NEVER = [PAD_ID, BOS_ID]  # `variety` gives them logits of -10,000, which have few digits left


@dataclass(frozen=True)
class Pairs:
    """What the model reads of a batch."""

    source: torch.Tensor
    source_lengths: torch.Tensor
    target_input: torch.Tensor


def pairs() -> Pairs:
    """Return random sources of LENGTHS tokens, padded, and targets."""
    random = torch.Generator().manual_seed(3)
    source = torch.randint(4, 12, (len(LENGTHS), int(LENGTHS.max())), generator=random)
    for row, length in enumerate(LENGTHS.tolist()):
        source[row, length - 1] = EOS_ID
        source[row, length:] = PAD_ID
    target = torch.randint(4, 12, (len(LENGTHS), STEPS), generator=random)
    target[:, 0] = BOS_ID
    return Pairs(source, LENGTHS, target)


def opened(name: str, folder: Path) -> tuple[Seq2Seq, Sessions]:
    settings, model = variety(VARIETIES[name], letters())
    Onnx().write(folder, settings, model.state_dict(), letters(), POSITIONS, "none", RECOMMENDED)
    return model, Onnx().open(folder, "cpu")


def run(session: Any, given: Arrays) -> Arrays:
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, given), strict=True))


def encode(sessions: Sessions, source: torch.Tensor, lengths: torch.Tensor) -> Arrays:
    """Return what the decoder's graph reads of sources."""
    mask = np.arange(source.shape[1]) < lengths.numpy()[:, None]
    found = run(sessions.encoder, {"source": source.numpy(), "memory_mask": mask})
    return {**found, "memory_mask": mask}


def no_past(session: Any, sentences: int) -> Arrays:
    """Return empty caches."""
    return {
        one.name: np.zeros((sentences, one.shape[1], 0, one.shape[3]), np.float32)
        for one in session.get_inputs()
        if one.name.startswith("past.")
    }


def decode(sessions: Sessions, memory: Arrays, tokens: NDArray[Any], past: Arrays) -> Arrays:
    """Read tokens [B, Q] after those of a cache, each of which sees all before it and itself."""
    (sentences, steps), before = tokens.shape, past["past.0.key"].shape[2]
    sight = np.tril(np.ones((steps, before + steps), bool), before)
    given = {
        "tokens": tokens,
        "positions": np.arange(before, before + steps),
        "sight": np.broadcast_to(sight, (sentences, *sight.shape)).copy(),
        **{name: array for name, array in memory.items() if name != "memory"},
    }
    return run(sessions.decoder, {**given, **past})


def log_probs(logits: NDArray[Any]) -> NDArray[Any]:
    """Return the log-probabilities of the tokens that a model may write."""
    found: NDArray[Any] = torch.from_numpy(logits).log_softmax(-1).numpy()
    return np.delete(found, NEVER, -1)


@pytest.mark.parametrize("name", VARIETIES)
def test_the_graphs_compute_what_the_model_computes(name: str, tmp_path: Path) -> None:
    model, sessions = opened(name, tmp_path)
    batch = pairs()
    with torch.inference_mode():
        expected = model(batch, attention=True)
        logits = model.logits(expected.hidden).numpy()
    memory = encode(sessions, batch.source, batch.source_lengths)
    real = memory["memory_mask"]
    assert memory["memory"][real] == pytest.approx(expected.encoded.memory.numpy()[real], abs=1e-4)
    found = decode(
        sessions, memory, batch.target_input.numpy(), no_past(sessions.decoder, len(real))
    )
    assert log_probs(found["logits"]) == pytest.approx(log_probs(logits), abs=1e-4)
    maps = [found[key].transpose(0, 2, 1, 3) for key in sorted(found) if "attention" in key]
    assert np.concatenate(maps, 2) == pytest.approx(expected.attention_weights.numpy(), abs=1e-5)


@pytest.mark.parametrize("name", ["pre-norm", "rotary", "learned", "grid"])
def test_step_by_step_is_all_at_once(name: str, tmp_path: Path) -> None:
    _, sessions = opened(name, tmp_path)
    batch = pairs()
    memory = encode(sessions, batch.source, batch.source_lengths)
    tokens, past = batch.target_input.numpy(), no_past(sessions.decoder, len(LENGTHS))
    whole = decode(sessions, memory, tokens, past)
    steps = []
    for step in range(STEPS):
        found = decode(sessions, memory, tokens[:, step : step + 1], past)
        steps.append(found["logits"])
        past = {
            key.replace("present", "past"): value
            for key, value in found.items()
            if key.startswith("present.")
        }
    assert log_probs(np.concatenate(steps, 1)) == pytest.approx(
        log_probs(whole["logits"]), abs=1e-4
    )


def test_padding_and_the_others_of_a_batch_change_nothing(tmp_path: Path) -> None:
    _, sessions = opened("pre-norm", tmp_path)
    batch = pairs()
    memory = encode(sessions, batch.source, batch.source_lengths)
    none = no_past(sessions.decoder, len(LENGTHS))
    together = decode(sessions, memory, batch.target_input.numpy(), none)["logits"]
    for row, length in enumerate(LENGTHS):
        alone = encode(sessions, batch.source[row : row + 1, :length], LENGTHS[row : row + 1])
        target = batch.target_input[row : row + 1].numpy()
        found = decode(sessions, alone, target, no_past(sessions.decoder, 1))
        assert log_probs(found["logits"][0]) == pytest.approx(log_probs(together[row]), abs=1e-4)


def test_tied_weights_are_stored_once() -> None:
    sizes = {}
    for name in ("tied", "untied"):
        settings, model = variety(VARIETIES[name], letters())
        weights = model.state_dict()
        sizes[name] = decoder_graph(settings, weights).bytes
    assert sizes["untied"] - sizes["tied"] == 4 * weights["output.weight"].numel()


def test_the_graphs_declare_what_they_read_and_return() -> None:
    settings, model = variety(VARIETIES["deep"], letters())
    weights = model.state_dict()
    encoder, decoder = (
        make(settings, weights).model("test").graph for make in (encoder_graph, decoder_graph)
    )
    caches = {f"past.0.{part}" for part in ("key", "value")}
    memory = {f"memory.0.{part}" for part in ("key", "value")}
    assert {one.name for one in encoder.input} == {"source", "memory_mask"}
    assert {one.name for one in encoder.output} == {"memory", *memory}
    given = {"tokens", "positions", "sight", "memory_mask"}
    assert {one.name for one in decoder.input} == {*given, *caches, *memory}
    present = {name.replace("past", "present") for name in caches}
    assert {one.name for one in decoder.output} == {"logits", "attention.0", *present}
