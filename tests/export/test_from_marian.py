"""A model of Marian computes here what it computes there."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s2scli.errors import CheckpointError, MissingInputError, S2SError, TokenizerError
from s2scli.export.foreign import TokenizerFiles
from s2scli.export.from_marian import flat_yaml, marian_positions, npz_in, read_marian
from tests.export.foreign_models import TEXTS, MarianModel, make_marian
from tests.export.importing import Imported, imported, same_scores, same_search

UNKNOWN, END = 1, 0


@pytest.fixture(scope="module")
def model() -> MarianModel:
    return make_marian()


@pytest.mark.parametrize("activation", ["swish", "relu"])
def test_scores_and_outputs_are_those_of_a_plain_twin(tmp_path: Path, activation: str) -> None:
    model = make_marian(activation)
    found = imported(model.save(tmp_path / "marian"), tmp_path / "model")
    read = [model.sides[0].encode(text, UNKNOWN) for text in TEXTS]
    assert any(UNKNOWN in ids for ids in read)
    written = [model.sides[1].encode(text, UNKNOWN) for text in TEXTS[::-1]]
    same_scores(found, model.logits, [[*ids, END] for ids in read], written, END, UNKNOWN)
    same_search(found, model.logits, [[*ids, END] for ids in read], END, never=())


@pytest.mark.parametrize("name", ["decoder_ff_logit_out_W", "decoder_ff_logit_out_Wt"])
def test_tables_that_are_not_tied_do_as_well(model: MarianModel, tmp_path: Path, name: str) -> None:
    table = model.arrays["Wemb"]
    output = {name: table if name.endswith("t") else table.T.contiguous()}
    tables = {"encoder_Wemb": table, "decoder_Wemb": table, **output}
    arrays = {**without(model, "Wemb").arrays, **tables}
    untied = replace(changed(model, tied_embeddings_all="false"), arrays=arrays)
    found = imported(untied.save(tmp_path / "marian"), tmp_path / "model")
    assert found.loaded.recipe.model.tie_embeddings == "none"
    read, written = (
        [model.sides[0].encode(text, UNKNOWN) for text in texts] for texts in (TEXTS, TEXTS[::-1])
    )
    same_scores(found, model.logits, [[*ids, END] for ids in read], written, END, UNKNOWN)


def test_a_language_is_chosen_by_a_token_at_the_beginning(
    model: MarianModel, tmp_path: Path
) -> None:
    found: Imported = imported(model.save(tmp_path / "marian"), tmp_path / "model")
    source, _ = found.loaded.tokenizers.texts
    first, *others = source.pieces(">>fra<< the sea")
    assert (first, others) == ("▁>>fra<<", source.pieces("the sea"))


def test_a_file_and_explicit_tokenizer_files_do_as_well(model: MarianModel, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "marian")
    whole = imported(folder, tmp_path / "one")
    bare = Path(shutil.copytree(folder, tmp_path / "bare"))
    files = TokenizerFiles(folder / "source.spm", None, folder / "vocab.yml", None)
    for name in ("source.spm", "target.spm", "vocab.yml"):
        (bare / name).unlink()
    other = imported(bare / "model.npz", tmp_path / "other", files)
    assert other.loaded.tokenizers.digest == whole.loaded.tokenizers.digest
    ours, theirs = whole.loaded.model.state_dict(), other.loaded.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_positions_end_at_a_ten_thousandth() -> None:
    found = marian_positions(3, 8)
    assert found[2, 0] == pytest.approx(torch.tensor(2.0).sin())
    assert found[2, 3] == pytest.approx(2e-4)
    assert found[2, 7] == pytest.approx(torch.tensor(2e-4).cos())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a\\u2581b": 3', {"a▁b": "3"}),
        ("'it''s': 4", {"it's": "4"}),
        ("# a remark\n---\nfree: x y\n", {"free": "x y"}),
        ("list:\n  - 1\n  - 2\nnext: []", {"list": ["1", "2"], "next": "[]"}),
        ("pair: [a, b]", {"pair": ["a", "b"]}),
        ('":": 5', {":": "5"}),
    ],
)
def test_yaml_as_marian_writes_it(text: str, expected: object) -> None:
    assert flat_yaml(text, Path("here")) == expected


def test_a_colon_inside_a_name_and_rare_escapes() -> None:
    text = '://: 2\na:b: 3\n\xa0: 4\n"\\xa0z": 5\n"\\U0001F600": 6\nx:\n- 1\n'
    names = {"://": "2", "a:b": "3", "\xa0": "4", "\xa0z": "5", "\U0001f600": "6", "x": ["1"]}
    assert flat_yaml(text, Path("here")) == names


def test_pieces_of_dots_and_dashes_are_no_marks_of_documents() -> None:
    text = "---\n</s>: 0\n...: 1\n---: 2\n....: 3\n...\n"
    assert list(flat_yaml(text, Path("here"))) == ["</s>", "...", "---", "...."]


def test_an_empty_list_may_have_a_line_of_its_own() -> None:
    text = "tied:\n  []\ntypes:\n  - a\nlast: 1\n"
    assert flat_yaml(text, Path("here")) == {"tied": "[]", "types": ["a"], "last": "1"}
    with pytest.raises(CheckpointError, match="here:2"):
        flat_yaml("a: 1\n[]\n", Path("here"))


def test_other_yaml_is_refused() -> None:
    with pytest.raises(CheckpointError, match="here:2: expected `name: value`"):
        flat_yaml("a: 1\nnothing", Path("here"))


def changed(model: MarianModel, **options: str) -> MarianModel:
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return replace(model, options={**model.options, **given})


def without(model: MarianModel, name: str) -> MarianModel:
    return replace(model, arrays={key: w for key, w in model.arrays.items() if key != name})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: changed(m, type="s2s"), "type is 's2s', and s2s imports"),
        (lambda m: changed(m, transformer_preprocess="n"), "transformer-preprocess is 'n'"),
        (lambda m: changed(m, transformer_ffn_activation="tanh"), "activation is 'tanh'"),
        (lambda m: changed(m, transformer_ffn_activation="gelu"), "activation is 'gelu'"),
        (lambda m: changed(m, right_left="true"), "right-left is 'true', and s2s imports"),
        (lambda m: changed(m, enc_depth="many"), "enc-depth is 'many', expected a number"),
        (lambda m: changed(m, transformer_tied_layers="[1, 1]"), "transformer-tied-layers is set"),
        (lambda m: changed(m, enc_depth="3"), "has no tensor encoder_l3_self_Wq"),
        (lambda m: changed(m, transformer_heads="3"), "3 does not divide the width"),
        (lambda m: without(m, "Wemb"), "has no tensor Wemb"),
        (
            lambda m: replace(m, arrays={**m.arrays, "Wemb": m.arrays["Wemb"][:-1]}),
            "expected",
        ),
        (
            lambda m: replace(m, arrays={**m.arrays, "encoder_l1_self_Wq": torch.zeros(3, 3)}),
            "encoder_l1_self_W|self_attn.q_proj",
        ),
        (
            lambda m: replace(m, arrays={**m.arrays, "encoder_l1_ffn_b1": torch.zeros(1, 3)}),
            "expected torch.float32",
        ),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    model: MarianModel,
    tmp_path: Path,
    change: Callable[[MarianModel], MarianModel],
    message: str,
) -> None:
    folder = change(model).save(tmp_path / "marian")
    with pytest.raises(CheckpointError, match=message) as raised:
        imported(folder, tmp_path / "model")
    assert raised.value.exit_status == 65
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("vocab.yml", '"</s>": 0\n"<unk>": 2\n', CheckpointError, "the ids 0, 1, 2 and so on"),
        ("vocab.yml", '"</s>": 0\n', CheckpointError, "has no piece <unk>"),
        ("vocab.yml", '"</s>": 0\n"<unk>": 1\n', CheckpointError, "the vocabulary has 3 pieces"),
        ("vocab.yml", b"\xff", TokenizerError, "vocab.yml: "),
        ("source.spm", b"\xff\xff", TokenizerError, "source.spm: damaged"),
        ("another-vocab.yml", "", CheckpointError, "several vocabularies"),
        ("second.npz", "", CheckpointError, "several checkpoints"),
    ],
)
def test_wrong_files_are_named(
    model: MarianModel,
    tmp_path: Path,
    name: str,
    content: str | bytes,
    error: type[S2SError],
    message: str,
) -> None:
    folder = model.save(tmp_path / "marian")
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=message):
        imported(folder, tmp_path / "model")


def test_nothing_is_imported_from_the_folder_of_a_checkpoint(
    model: MarianModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model.save(tmp_path / "marian")
    for name in ("argparse", "json", "torch", "s2scli"):
        (folder / f"{name}.py").write_text("open('ran', 'w').close()\nraise SystemExit(9)\n")
    monkeypatch.chdir(folder)
    read_marian(folder, TokenizerFiles())
    assert not (folder / "ran").exists()


def test_missing_files_are_named(model: MarianModel, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "marian")
    (folder / "source.spm").unlink()
    (folder / "target.spm").unlink()
    with pytest.raises(MissingInputError, match="give it: --source-spm"):
        read_marian_here(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="no checkpoint of Marian"):
        npz_in(tmp_path / "empty")


def read_marian_here(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        from s2scli.export.unpack import unpack

        patch.setattr("s2scli.export.from_marian.read_checkpoint", unpack)
        read_marian(folder, TokenizerFiles())
