"""What is read of a MarianMTModel's folder; tests of its weights are in test_marian.py."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from s2scli.errors import CheckpointError, MissingInputError, S2SError
from s2scli.export.from_huggingface import ordered
from s2scli.export.targets import TARGETS
from s2scli.model.weights import encode_tensors, read_tensors
from tests.export.foreign_models import TEXTS, make_side
from tests.export.importing import PLAIN, imported
from tests.export.varieties import MARIAN, POSITIONS, RECOMMENDED, letters, variety

WEIGHTS, CONFIG = "model.safetensors", "config.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("huggingface")
    tokenizers = letters()
    settings, model = variety(MARIAN["tied"], tokenizers)
    TARGETS["huggingface"].write(
        folder, settings, model.state_dict(), tokenizers, POSITIONS, "none", RECOMMENDED
    )
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "theirs"))


def change_json(path: Path, **values: Any) -> None:
    tree = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({name: value for name, value in tree.items() if value != "none"}))


def change_tensors(folder: Path, **tensors: Any) -> None:
    own = {
        **read_tensors(folder / WEIGHTS),
        **{k.replace("__", "."): v for k, v in tensors.items()},
    }
    (folder / WEIGHTS).write_bytes(encode_tensors({k: v for k, v in own.items() if v is not None}))


def test_pickled_weights_do_as_well(folder: Path, tmp_path: Path) -> None:
    expected = imported(folder, tmp_path / "one").loaded.model.state_dict()
    torch.save(read_tensors(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    found = imported(folder, tmp_path / "other").loaded.model.state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_the_search_is_that_of_the_folder(folder: Path, tmp_path: Path) -> None:
    change_json(folder / "generation_config.json", num_beams=7, length_penalty=0.5)
    search = imported(folder, tmp_path / "model").loaded.recipe.search
    assert (search.beam_size, search.length_penalty) == (7, 0.5)


def test_embeddings_that_are_not_scaled_are_scaled_down(folder: Path, tmp_path: Path) -> None:
    change_json(folder / CONFIG, scale_embedding=False)
    found = imported(folder, tmp_path / "model").loaded
    weights = found.model.state_dict()
    theirs = read_tensors(folder / WEIGHTS)["model.shared.weight"]
    assert found.recipe.model.tie_embeddings == "none"
    assert torch.equal(weights["output.weight"], theirs)
    assert torch.allclose(weights["target.table.weight"] * 8**0.5, theirs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: change_json(f / CONFIG, model_type="bart"), "a model of the type 'bart'"),
        (lambda f: change_json(f / CONFIG, activation_function="tanh"), "the activation 'tanh'"),
        (lambda f: change_json(f / CONFIG, d_model="big"), "d_model: input should be a valid int"),
        (lambda f: change_json(f / CONFIG, d_model=10**9), "d_model: input should be less"),
        (lambda f: change_json(f / CONFIG, d_model=10), "expected torch.float32"),
        (
            lambda f: change_json(f / CONFIG, encoder_layers=60),
            "has no tensor model.encoder.layers",
        ),
        (lambda f: change_json(f / CONFIG, encoder_attention_heads=3), "3 does not divide"),
        (lambda f: change_json(f / CONFIG, pad_token_id=99), "the pad token has id 99"),
        (lambda f: (f / CONFIG).write_text("{"), "damaged JSON"),
        (lambda f: (f / "vocab.json").write_text('{"a": 1}'), "ids 0, 1, 2 and so on"),
        (lambda f: (f / "vocab.json").write_text('{"a": 0}'), "has no piece '<unk>'"),
        (lambda f: (f / "vocab.json").write_text("{"), "damaged JSON"),
        (lambda f: change_json(f / "vocab.json", extra=15), "its embeddings have the shape"),
        (lambda f: (f / "source.spm").write_bytes(b"\xff"), "source.spm: damaged"),
        (lambda f: (f / "source.spm").unlink(), "expected a SentencePiece model"),
        (lambda f: (f / WEIGHTS).write_bytes(b"\xff" * 9), "not a safetensors file"),
        (lambda f: change_tensors(f, model__shared__weight=None), "has no tensor model.encoder"),
        (lambda f: change_tensors(f, final_logits_bias=torch.zeros(1, 3)), "a bias of 3"),
        (
            lambda f: change_tensors(f, model__encoder__embed_positions__weight=torch.ones(4, 8)),
            "the positions of the encoder are not sinusoidal",
        ),
        (
            lambda f: change_tensors(
                f, model__encoder__layers__0__fc1__bias=torch.full((6,), torch.nan)
            ),
            "contains values that are not finite",
        ),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    folder: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    change(folder)
    with pytest.raises(S2SError) as raised:
        imported(folder, tmp_path / "model")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, MissingInputError) == (raised.value.exit_status == 66)
    assert raised.value.exit_status in (65, 66)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("ids", [[], {"a": "0"}, {"a": True}, {"a": 0, "b": 0}])
def test_a_vocabulary_numbers_its_pieces(ids: object) -> None:
    with pytest.raises(CheckpointError, match="here: expected pieces"):
        ordered(ids, Path("here"))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"scale_embedding": True}, {"activation_function": "relu"}])
def test_a_random_model_of_the_library_translates_as_there(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    transformers = pytest.importorskip("transformers")
    side = make_side(("</s>", "<unk>"), (">>fra<<", "<pad>"))
    pad = len(side.pieces) - 1
    torch.manual_seed(4)
    config = transformers.MarianConfig(
        **{"vocab_size": len(side.pieces), "d_model": 8, "activation_function": "swish", **options},
        **{f"{stack}_layers": 2 for stack in ("encoder", "decoder")},
        **{f"{stack}_attention_heads": 2 for stack in ("encoder", "decoder")},
        **{f"{stack}_ffn_dim": 12 for stack in ("encoder", "decoder")},
        **{"pad_token_id": pad, "decoder_start_token_id": pad, "max_position_embeddings": 64},
    )
    model = transformers.MarianMTModel(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "positions" not in name:
                weight.add_(torch.randn_like(weight) * 0.5)
        model.final_logits_bias.normal_()
    folder = tmp_path / "theirs"
    model.save_pretrained(folder)
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(side.spm)
    ids = {piece: id for id, piece in enumerate(side.pieces)}
    (folder / "vocab.json").write_text(json.dumps(ids))
    found = imported(folder, tmp_path / "model")
    engine = found.translator.engine
    greedy = {"beam_size": 1, "max_length": 20, "max_length_ratio": 100.0}
    settings = engine.settings.model_copy(update=greedy)
    for text in TEXTS:
        source = torch.tensor([[*side.encode(text, 1), 0]])
        written = model.generate(source, max_new_tokens=20, num_beams=1, bad_words_ids=[[pad]])
        with torch.inference_mode():
            logits = model(input_ids=source, decoder_input_ids=written[:, :-1]).logits[0]
        expected = logits.log_softmax(-1).gather(1, written[0, 1:, None])[:, 0].tolist()
        ((one,),) = engine.search([found.source.encode(text)], settings, PLAIN)
        pieces = found.translator.target.pieces(one.token_ids)
        assert list(pieces) == [side.pieces[id] for id in written[0, 1:]]
        assert one.token_scores == pytest.approx(expected, abs=1e-4)
