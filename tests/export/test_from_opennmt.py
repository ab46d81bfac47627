"""A model of OpenNMT-py computes here what it computes there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from s2scli.errors import CheckpointError, MissingInputError
from s2scli.export.from_opennmt import sines_first
from s2scli.special_ids import EOS_ID
from tests.export.foreign_models import TEXTS, WIDTH, OpenNMTModel, make_opennmt
from tests.export.importing import imported, same_scores, same_search

UNKNOWN, START, END = 0, 2, 3
NEVER = (1, START)


@pytest.fixture(scope="module")
def model() -> OpenNMTModel:
    return make_opennmt()


@pytest.mark.parametrize(("activation", "biases"), [("relu", True), ("silu", False)])
def test_scores_and_outputs_are_those_of_a_plain_twin(
    tmp_path: Path, activation: str, biases: bool
) -> None:
    model = make_opennmt(activation, biases)
    found = imported(model.save(tmp_path / "opennmt"), tmp_path / "model")
    read, written = (
        [side.encode(text, UNKNOWN) for text in texts]
        for side, texts in zip(model.sides, (TEXTS, TEXTS[::-1]), strict=True)
    )
    same_scores(found, model.logits, read, written, END, UNKNOWN)
    same_search(found, model.logits, read, END, NEVER)


def test_a_source_has_no_end_token(model: OpenNMTModel, tmp_path: Path) -> None:
    found = imported(model.save(tmp_path / "opennmt"), tmp_path / "model")
    values = found.source.encode(TEXTS[0])
    padded, lengths = found.source.pad([values, values[:2]])
    assert lengths.tolist() == [len(values), 2]
    assert not (padded == EOS_ID).any()
    assert found.source.length(values) == len(found.source.labels(values, 0)) == len(values)


def test_tied_tables_stay_tied(model: OpenNMTModel, tmp_path: Path) -> None:
    table = model.tensors["decoder.embeddings.make_embedding.emb_luts.0.weight"]
    tied = replace(model, tensors={**model.tensors, "generator.weight": table.clone()})
    found = imported(tied.save(tmp_path / "opennmt"), tmp_path / "model")
    assert found.loaded.recipe.model.tie_embeddings == "target"
    written = [tied.sides[1].encode(text, UNKNOWN) for text in TEXTS[::-1]]
    read = [tied.sides[0].encode(text, UNKNOWN) for text in TEXTS]
    same_scores(found, tied.logits, read, written, END, UNKNOWN)


def test_the_order_of_units_puts_sines_first() -> None:
    assert sines_first(WIDTH).tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


def optioned(model: OpenNMTModel, **options: Any) -> OpenNMTModel:
    return replace(model, options={**model.options, **options})


def changed(model: OpenNMTModel, name: str, tensor: torch.Tensor) -> OpenNMTModel:
    return replace(model, tensors={**model.tensors, name: tensor})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: optioned(m, encoder_type="brnn"), "encoder_type is 'brnn', and s2s imports"),
        (lambda m: optioned(m, max_relative_positions=-1), "max_relative_positions is -1"),
        (lambda m: optioned(m, copy_attn=True), "copy_attn is True"),
        (lambda m: optioned(m, sliding_window=8), "sliding_window is 8, and s2s imports"),
        (lambda m: optioned(m, n_src_feats=1), "n_src_feats is 1, and s2s imports"),
        (
            lambda m: optioned(m, position_encoding_type="SinusoidalConcat"),
            "position_encoding_type is 'SinusoidalConcat', and s2s imports",
        ),
        (lambda m: optioned(m, pos_ffn_activation_fn="gated-gelu"), "fn is 'gated-gelu'"),
        (lambda m: optioned(m, heads=0), "heads is None, expected a number above 0"),
        (lambda m: optioned(m, enc_layers=9), "has no tensor model.encoder.transformer.2"),
        (lambda m: replace(m, options={"heads": 2}), "has no options"),
        (lambda m: changed(m, "generator.weight", torch.zeros(3, WIDTH)), "the output layer has"),
        (
            lambda m: changed(
                m, "encoder.embeddings.make_embedding.emb_luts.0.weight", torch.zeros(5, WIDTH)
            ),
            "its embeddings have the shape",
        ),
        (
            lambda m: changed(
                m, "encoder.embeddings.make_embedding.emb_luts.0.weight", torch.zeros(5, 6)
            ),
            "differ in width",
        ),
        (
            lambda m: replace(m, sides=(replace(m.sides[0], pieces=("<unk>",)), m.sides[1])),
            "vocab.src has no piece '<blank>'",
        ),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    model: OpenNMTModel,
    tmp_path: Path,
    change: Callable[[OpenNMTModel], OpenNMTModel],
    message: str,
) -> None:
    path = change(model).save(tmp_path / "opennmt")
    with pytest.raises(CheckpointError, match=message):
        imported(path, tmp_path / "model")


def test_a_vocabulary_that_is_not_a_list_is_refused(model: OpenNMTModel, tmp_path: Path) -> None:
    path = model.save(tmp_path / "opennmt")
    content = torch.load(path, weights_only=False)
    torch.save({**content, "vocab": {"src": 1}}, path)
    with pytest.raises(CheckpointError, match=r"has no list of pieces vocab\.src"):
        imported(path, tmp_path / "model")


def test_without_a_tokenizer_the_flags_are_named(model: OpenNMTModel, tmp_path: Path) -> None:
    path = model.save(tmp_path / "opennmt")
    (tmp_path / "opennmt" / "target.spm").unlink()
    with pytest.raises(MissingInputError, match="--source-spm"):
        imported(path, tmp_path / "model")
