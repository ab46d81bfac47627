"""A new model begins with what fits of a trained one: weights by name, tables by piece."""

from pathlib import Path

import pytest
import torch

from s2scli.config import Recipe
from s2scli.errors import ConfigError
from s2scli.manifest import Manifest
from s2scli.model.seq2seq import Seq2Seq
from s2scli.pipeline.carry_over import Rows, carry_over, say_carried_over
from s2scli.report.console import Talk
from s2scli.settings import Tree, load_settings
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.model_folder import LoadedModel, build_model
from tests.models import MODELS, model_tree
from tests.tokenizer.samples import learn

ENGLISH = ["the cat sat on the mat", "a dog ran under the tree"] * 10
GERMAN = ["die katze sass auf der matte", "ein hund lief unter den baum"] * 10
NUMBERS = ["12345", "67890"] * 20


def tokenizers(source: list[str], target: list[str] | None = None) -> Tokenizers:
    """Return character tokenizers of these lines; a joint one where there is no target."""
    first = learn("char", source)
    return Tokenizers(first, learn("char", target) if target else first, joint=target is None)


JOINT, PAIR, OTHER = tokenizers(ENGLISH), tokenizers(ENGLISH, GERMAN), tokenizers(GERMAN)


def tree_of(tie: str = "none", width: int = 8, **changes: object) -> Tree:
    tree: Tree = {**model_tree(), "tie_embeddings": tie, **changes}
    return {**tree, "source": {"embedding_dim": width}, "target": {"embedding_dim": width}}


def new_model(tree: Tree, own: Tokenizers, seed: int = 1) -> tuple[Recipe, Seq2Seq]:
    torch.manual_seed(seed)
    recipe = load_settings(Recipe, {"name": "test", "model": tree}, "test")
    return recipe, build_model(recipe, own)


def trained_model(tree: Tree, own: Tokenizers) -> LoadedModel:
    recipe, model = new_model(tree, own, seed=2)
    return LoadedModel(recipe, model, own, Manifest("model", 2, {}, {}, {}, "digest"))


def weights_of(model: Seq2Seq) -> dict[str, torch.Tensor]:
    return {n: w.detach().clone() for n, w in model.named_parameters(remove_duplicate=False)}


def plain_rows(name: str, own: Tokenizers, trained: LoadedModel) -> dict[int, torch.Tensor]:
    """Return what every row of a table should be, by the plainest of ways."""
    side = "source" if name.startswith("source") else "target"
    mine, yours = getattr(own, side), getattr(trained.tokenizers, side)
    table = weights_of(trained.model)[name]
    rows = {}
    for row in range(mine.vocab_size):
        for other in range(yours.vocab_size):
            if mine.piece(row) == yours.piece(other):
                rows[row] = table[other]
    return rows


@pytest.mark.parametrize("tree", MODELS.values(), ids=MODELS.keys())
def test_the_same_model_is_taken_over_whole(tree: Tree) -> None:
    trained = trained_model(tree, PAIR)
    _, model = new_model(tree, PAIR)
    found = carry_over(model, PAIR, trained)
    theirs = weights_of(trained.model)
    for name, weight in weights_of(model).items():
        assert torch.equal(weight, theirs[name]), name
    assert (found.new, found.unused) == ({}, ())
    assert {*found.weights, *found.tables} == {name for name, _ in model.named_parameters()}
    assert all(rows.found == rows.pieces for rows in found.tables.values())


@pytest.mark.parametrize("tree", MODELS.values(), ids=MODELS.keys())
def test_every_weight_with_a_row_for_each_piece_is_known(tree: Tree) -> None:
    """Of 97 pieces there is nothing else in so small a model."""
    model = Seq2Seq(new_model(tree, PAIR)[0].model, 97, 97, joint=False)
    found = {name for name, weight in model.named_parameters() if 97 in weight.shape}
    assert found <= model.token_rows.keys()


@pytest.mark.parametrize("own", [JOINT, PAIR, OTHER], ids=["joint", "pair", "other"])
@pytest.mark.parametrize("given", [JOINT, PAIR, OTHER], ids=["joint", "pair", "other"])
def test_rows_go_to_the_pieces_they_belong_to(own: Tokenizers, given: Tokenizers) -> None:
    trained = trained_model(tree_of(), given)
    _, model = new_model(tree_of(), own)
    before = weights_of(model)
    found = carry_over(model, own, trained)
    for name in model.token_rows:
        expected = plain_rows(name, own, trained)
        assert found.tables[name] == Rows(len(expected), len(before[name]))
        for row, now in enumerate(weights_of(model)[name]):
            assert torch.equal(now, expected.get(row, before[name][row])), (name, row)


@pytest.mark.parametrize("theirs", ["none", "target", "all"])
@pytest.mark.parametrize("mine", ["none", "target", "all"])
def test_tied_tables_are_filled_once_from_tied_ones_and_from_others(mine: str, theirs: str) -> None:
    trained = trained_model(tree_of(theirs), JOINT)
    _, model = new_model(tree_of(mine), OTHER)
    carry_over(model, OTHER, trained)
    first = {"none": "output.weight", "target": "target.table.weight", "all": "source.table.weight"}
    expected = plain_rows(first[mine], OTHER, trained)
    for row, values in expected.items():
        assert torch.equal(model.output.weight[row], values)
    if mine != "none":
        assert model.output.weight is model.target.table.weight


def test_a_shared_table_looks_for_a_piece_under_all_its_names() -> None:
    """The letters of either language are found, each in the table of its own side."""
    both = tokenizers([*ENGLISH, *GERMAN])
    trained = trained_model(tree_of(), PAIR)
    _, model = new_model(tree_of("all"), both)
    found = carry_over(model, both, trained)
    size = both.texts[0].vocab_size
    assert found.tables["source.table.weight"] == Rows(size, size)
    german = plain_rows("target.table.weight", both, trained)
    english = plain_rows("source.table.weight", both, trained)
    assert german.keys() - english.keys() and english.keys() - german.keys()
    for row, now in enumerate(weights_of(model)["source.table.weight"]):
        assert torch.equal(now, english[row] if row in english else german[row])


def test_a_piece_that_an_imported_model_never_writes_stays_new_in_another_vocabulary() -> None:
    trained, bos, piece = trained_model(tree_of(), PAIR), 2, 7
    with torch.no_grad():
        trained.model.get_parameter("output.bias")[[bos, piece]] = -1e4
    for own, is_new in ((PAIR, False), (tokenizers(ENGLISH, [*GERMAN, *NUMBERS]), True)):
        _, model = new_model(tree_of(), own)
        before = weights_of(model)
        carry_over(model, own, trained)
        pieces = [own.target.piece(id) for id in range(own.target.vocab_size)]
        row = pieces.index(PAIR.target.piece(piece))
        for name in ("target.table.weight", "output.weight", "output.bias"):
            after, theirs = weights_of(model)[name], weights_of(trained.model)[name]
            assert torch.equal(after[row], before[name][row] if is_new else theirs[piece])
            assert torch.equal(after[bos], theirs[bos])


def test_what_does_not_fit_stays_new_and_is_told() -> None:
    trained = trained_model(tree_of(), JOINT)
    encoder = {"kind": "gru", "model_dim": 6}
    _, model = new_model(tree_of(encoder=encoder), JOINT)
    before = weights_of(model)
    found = carry_over(model, JOINT, trained)
    assert found.new and found.weights and found.tables
    for name in found.new:
        assert torch.equal(weights_of(model)[name], before[name])
        assert f"{list(before[name].shape)} here" in found.new[name]
    assert set(found.new) == set(found.unused)


def test_a_part_that_is_only_on_one_side_is_told() -> None:
    with_attention, without = tree_of(), tree_of(attention={"kind": "none"})
    _, model = new_model(with_attention, JOINT)
    found = carry_over(model, JOINT, trained_model(without, JOINT))
    assert "not there" in found.new.values()
    _, model = new_model(without, JOINT)
    found = carry_over(model, JOINT, trained_model(with_attention, JOINT))
    assert any("attention" in name for name in found.unused)


def test_special_pieces_alone_are_nothing_in_common() -> None:
    numbers = tokenizers(NUMBERS)
    _, model = new_model(tree_of(), numbers)
    before = weights_of(model)
    found = carry_over(model, numbers, trained_model(tree_of(), JOINT))
    tables = model.token_rows
    assert {name: found.new[name] for name in tables} == dict.fromkeys(tables, "no common pieces")
    assert torch.equal(model.output.weight, before["output.weight"])


@pytest.mark.parametrize("own", [tokenizers(NUMBERS), JOINT], ids=["numbers", "the same"])
def test_nothing_that_fits_is_an_error(own: Tokenizers) -> None:
    """The output's biases would fit, and some of the encoder's do by chance: 4 x 3 = 3 x 4."""
    other = tree_of(width=9, encoder={"kind": "lstm", "model_dim": 3})
    other |= {"decoder": {"kind": "lstm", "model_dim": 7}, "attention": {"kind": "general"}}
    _, model = new_model(other, own)
    message = r"no weight matrix of that model \(recipe test\) fits this one: source.* here\)"
    with pytest.raises(ConfigError, match=message):
        carry_over(model, own, trained_model(tree_of(), JOINT))


def test_the_random_numbers_that_follow_are_as_without(tmp_path: Path) -> None:
    """Taking weights over draws none, so that training sees the same dropout."""
    trained = trained_model(tree_of(), JOINT)
    _, model = new_model(tree_of(), JOINT)
    before = torch.get_rng_state()
    carry_over(model, JOINT, trained)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_is_told_in_short_and_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    trained = trained_model(tree_of(), JOINT)
    _, model = new_model(tree_of(encoder={"kind": "gru", "model_dim": 6}), OTHER)
    found = carry_over(model, OTHER, trained)
    rows = found.tables["output.bias"]
    say_carried_over(found, Talk())
    said = capsys.readouterr().err
    counts = f"{len(found.weights)} weights, {rows.found} of {rows.pieces} rows"
    assert f"copied from the trained model: {counts}" in said
    assert "more (-v lists them)" in said and said.count("\n") == 3
    say_carried_over(found, Talk(verbose=True))
    said = capsys.readouterr().err
    assert "-v" not in said
    for name in (*found.weights, *found.tables, *found.new, *found.unused):
        assert name in said
