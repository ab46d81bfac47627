"""Weights are written and read by name, and only what fits goes into a model."""

from pathlib import Path

import pytest
import torch

from s2scli.errors import CheckpointError
from s2scli.model.kernels.layout import lay_out
from s2scli.model.kernels.linear import Linear
from s2scli.model.weights import encode_tensors, load_weights, model_weights, read_tensors
from tests.models import make_model, model_tree


def test_tied_weights_are_written_for_each_name(tmp_path: Path) -> None:
    shared = torch.arange(6.0).view(2, 3)
    (tmp_path / "file").write_bytes(encode_tensors({"a": shared, "b": shared, "turned": shared.T}))
    tensors = read_tensors(tmp_path / "file")
    assert torch.equal(tensors["a"], shared) and torch.equal(tensors["b"], shared)
    assert torch.equal(tensors["turned"], shared.T)


def test_what_is_no_safetensors_file_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\0" * 7, b"\xff" * 100, b"\x80\x04K\x01."):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(CheckpointError, match="file: not a safetensors file"):
            read_tensors(tmp_path / "file")


WRONG_WEIGHTS = {
    "missing": ({}, "weights do not match the recipe"),
    "unknown": ({"weight": torch.ones(1, 2), "odd": torch.ones(1)}, "odd is in only one of them"),
    "shape": ({"weight": torch.ones(2, 1)}, r"weight is torch.float32 \(2, 1\), expected"),
    "type": ({"weight": torch.ones(1, 2).double()}, "weight is torch.float64"),
    "nan": ({"weight": torch.tensor([[1.0, float("nan")]])}, "weight contains values that are not"),
    "inf": ({"weight": torch.tensor([[1.0, float("inf")]])}, "weight contains values that are not"),
}


@pytest.mark.parametrize(("weights", "message"), WRONG_WEIGHTS.values(), ids=WRONG_WEIGHTS.keys())
def test_weights_of_another_model_are_refused(
    weights: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(CheckpointError, match=f"here: .*{message}"):
        load_weights(torch.nn.Linear(2, 1, bias=False), weights, "here")


def test_weights_replace_those_of_a_model_and_of_its_layouts() -> None:
    layer = Linear(2, 1)
    lay_out(layer)
    load_weights(layer, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}, "here")
    with torch.no_grad():
        assert layer(torch.tensor([[3.0, 4.0]])).tolist() == [[7.0]]


def test_tied_weights_have_one_name() -> None:
    model = make_model({**model_tree(), "tie_embeddings": "all"})
    names = model_weights(model).keys()
    assert "source.table.weight" in names
    assert not {"target.table.weight", "output.weight"} & names
