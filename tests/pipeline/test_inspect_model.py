"""What a model folder says of itself: numbers that add up to its weights."""

from pathlib import Path

import pytest

from s2scli.errors import MissingInputError
from s2scli.model.weights import read_tensors
from s2scli.pipeline.inspect_model import Parameter, inspect_model
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.model_folder import WEIGHTS
from tests.folders import letters_of, write_model

JOINT = letters_of(["abcdefgh ij"])
APART = Tokenizers(JOINT.source, letters_of(["abc"]).target, joint=False)


@pytest.mark.parametrize(
    ("tokenizers", "vocab_size"),
    [
        (JOINT, {"joint": JOINT.target.vocab_size}),
        (APART, {"source": JOINT.target.vocab_size, "target": APART.target.vocab_size}),
    ],
    ids=["joint", "apart"],
)
def test_the_parts_add_up_to_the_weights(
    tmp_path: Path, tokenizers: Tokenizers, vocab_size: dict[str, int]
) -> None:
    folder = write_model(tmp_path / "model", tokenizers)
    facts = inspect_model(folder)
    weights = read_tensors(folder / WEIGHTS)
    assert facts.vocab_size == vocab_size
    assert [parameter.name for parameter in facts.parameters] == sorted(weights)
    for parameter in facts.parameters:
        assert parameter.shape == tuple(weights[parameter.name].shape)
        assert parameter.count == weights[parameter.name].numel()
    whole = sum(weight.numel() for weight in weights.values())
    assert sum(facts.parts.values()) == whole == facts.manifest.facts["parameters"]
    for part, count in facts.parts.items():
        mine = [weight for name, weight in weights.items() if name.startswith(f"{part}.")]
        assert count == sum(weight.numel() for weight in mine)


def test_recipe_and_manifest_are_those_of_the_folder(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", JOINT, "search.beam_size=3")
    facts = inspect_model(folder)
    assert (facts.recipe.name, facts.recipe.search.beam_size) == ("tiny", 3)
    assert facts.manifest.made_from["tokenizer"] == JOINT.digest
    assert facts.manifest.facts["step"] == 1234


@pytest.mark.parametrize(("shape", "count"), [((), 1), ((5,), 5), ((2, 3, 4), 24), ((0, 7), 0)])
def test_a_tensor_holds_the_product_of_its_shape(shape: tuple[int, ...], count: int) -> None:
    parameter = Parameter("decoder.layers.0.weight", shape)
    assert (parameter.part, parameter.count) == ("decoder", count)


def test_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no model here"):
        inspect_model(tmp_path)
