"""What a MarianMTModel can be, and what the folder holds."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from s2scli.errors import CheckpointError, ConfigError, MissingExtraError
from s2scli.export.huggingface import FILES
from s2scli.export.settings import Recommended
from s2scli.export.targets import TARGETS, require_exportable
from s2scli.model.settings import ModelSettings
from s2scli.settings import Tree, load_settings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID
from s2scli.tokenizer.adopted import Vocabulary, adopt
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.export.foreign_models import make_side
from tests.export.varieties import LETTERS, MARIAN, POSITIONS, letters, variety
from tests.folders import letters_of
from tests.models import model_tree, transformer_tree

TARGET = TARGETS["huggingface"]
POST: Tree = {"norm_first": False}


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return letters()


def write(folder: Path, tokenizers: Tokenizers) -> None:
    settings, model = variety(MARIAN["tied"], tokenizers)
    recommended = Recommended(beam_size=3, length_penalty=0.6, no_repeat_ngram=4)
    TARGET.write(folder, settings, model.state_dict(), tokenizers, POSITIONS, "none", recommended)


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (model_tree(), "model.encoder.kind is gru, and a MarianMTModel needs transformer"),
        (transformer_tree(), "model.encoder.norm_first is true, and a MarianMTModel needs false"),
        (transformer_tree(norm="rms", **POST), "model.decoder.norm is rms"),
        (transformer_tree(positions="learned", **POST), "positions is learned"),
        (transformer_tree(norm_epsilon=1e-6, **POST), "model.encoder.norm_epsilon is 1e-06"),
        (transformer_tree(activation="swiglu", **POST), "needs relu, gelu or silu"),
        (
            transformer_tree(decoder={"activation": "gelu"}, **POST),
            "model.decoder.activation is gelu, and a MarianMTModel needs relu",
        ),
        (transformer_tree(decoder={"num_heads": 4}, **POST), "model.attention.num_heads is 2"),
        (
            transformer_tree(encoder={"model_dim": 12, "num_heads": 3}, **POST),
            "model.decoder.model_dim is 8",
        ),
        (transformer_tree("additive", **POST), "model.attention.kind is additive"),
        ({**transformer_tree(**POST), "output": {"kind": "pointer"}}, "output.kind is pointer"),
    ],
)
def test_what_it_cannot_be_is_named_by_the_setting(tree: Tree, reason: str) -> None:
    settings = load_settings(ModelSettings, tree, "test")
    with pytest.raises(ConfigError, match="cannot be exported to Transformers: ") as raised:
        require_exportable(TARGET, settings)
    assert reason in str(raised.value)


def test_the_folder_has_all_that_the_library_reads(tokenizers: Tokenizers, tmp_path: Path) -> None:
    write(tmp_path, tokenizers)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["pad_token_id"], config["eos_token_id"]) == (PAD_ID, EOS_ID)
    assert config["decoder_start_token_id"] == BOS_ID
    generation = json.loads((tmp_path / "generation_config.json").read_text())
    assert generation["suppress_tokens"] == [PAD_ID, BOS_ID]
    assert (generation["num_beams"], generation["length_penalty"]) == (3, 0.6)
    assert generation["no_repeat_ngram_size"] == 4
    pieces = json.loads((tmp_path / "vocab.json").read_text())
    assert list(pieces) == tokenizers.texts[0].vocabulary
    TARGET.check(tmp_path, tokenizers, POSITIONS)
    (tmp_path / "source.spm").unlink()
    with pytest.raises(CheckpointError, match=r"source\.spm"):
        TARGET.check(tmp_path, tokenizers, POSITIONS)


def test_two_tokenizers_have_two_vocabularies(tokenizers: Tokenizers, tmp_path: Path) -> None:
    write(tmp_path, replace(tokenizers, joint=False))
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["separate_vocabs"]
    assert (tmp_path / "target_vocab.json").read_bytes() == (tmp_path / "vocab.json").read_bytes()


def test_names_of_languages_are_those_that_its_tokenizer_looks_up(tmp_path: Path) -> None:
    side = make_side(("</s>", "<unk>"), (">>fra<<", "<pad>"))
    last = len(side.pieces) - 1
    vocabulary = Vocabulary(side.pieces, last, 1, last, 0)
    source, target = (adopt(side.spm, vocabulary, writes=w).tokenizer for w in (False, True))
    write(tmp_path, Tokenizers(source, target, joint=False))
    pieces = json.loads((tmp_path / "vocab.json").read_text())
    assert pieces[">>fra<<"] == source.encode(">>fra<< the sea")[0]
    assert list(pieces.values()) == list(range(source.vocab_size))


def test_what_its_tokenizer_cannot_do_is_refused(tokenizers: Tokenizers, tmp_path: Path) -> None:
    source, target = tokenizers.texts
    with pytest.raises(ConfigError, match="from right to left"):
        write(tmp_path, replace(tokenizers, target=replace(target, reverse=True)))
    with pytest.raises(ConfigError, match="without an end token"):
        write(tmp_path, replace(tokenizers, source=replace(source, ends=False)))
    tagged = letters_of([LETTERS], tags=("de",))
    with pytest.raises(ConfigError, match="this model has tags"):
        write(tmp_path, tagged)


def test_without_the_library_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 's2scli\[huggingface\]'"):
        TARGET.require()


@pytest.mark.slow
def test_a_damaged_folder_is_one_line(tokenizers: Tokenizers, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    write(tmp_path, tokenizers)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="Transformers cannot read it"):
        TARGET.open(tmp_path, "cpu")
