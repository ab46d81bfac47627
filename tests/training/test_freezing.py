"""Frozen weights stay as they are to the bit, and cost no optimizer state."""

import pytest
import torch
from torch import nn

from s2scli.data.encoded import EncodedSplit
from s2scli.errors import ConfigError
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.weights import model_weights
from s2scli.settings import Tree
from s2scli.training.checkpoint import optimizer_tensors
from s2scli.training.freezing import count_frozen, freeze, trainable
from tests.models import MODELS, make_model, model_tree
from tests.training.runs import Session, make_run, training_settings, write_split

TIED: Tree = {**model_tree(), "target": {"embedding_dim": 8}, "tie_embeddings": "target"}
TIED_ALL: Tree = {**TIED, "source": {"embedding_dim": 8}, "tie_embeddings": "all"}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return write_split(tmp_path_factory.mktemp("split"))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "adafactor"])
@pytest.mark.parametrize("part", ["encoder", "source", "decoder.attention", "output.bias"])
def test_frozen_weights_stay_and_the_others_move(
    split: EncodedSplit, optimizer: str, part: str
) -> None:
    settings = training_settings(
        freeze=[part], optimizer={"kind": optimizer, "learning_rate": 0.05}, limits={"max_steps": 3}
    )
    run = make_run(settings)
    before = {name: weight.detach().clone() for name, weight in model_weights(run.model).items()}
    Session(run, split).events()
    moved = {
        name for name, was in before.items() if not torch.equal(model_weights(run.model)[name], was)
    }
    frozen = {name for name in before if name == part or name.startswith(f"{part}.")}
    assert frozen and moved == before.keys() - frozen


def test_frozen_weights_have_no_optimizer_state(split: EncodedSplit) -> None:
    run = make_run(training_settings(freeze=["encoder", "source"], limits={"max_steps": 2}))
    Session(run, split).events()
    numbers = {key.partition(".")[0] for key in optimizer_tensors(run.optimizer)}
    assert len(numbers) == len(trainable(run.model)) < len(list(run.model.parameters()))
    assert all(weight.grad is None for weight in run.model.parameters())


def table_of(model: Seq2Seq) -> nn.Parameter:
    """Return the embedding table of the source."""
    assert model.source.vectors is not None
    return model.source.vectors


@pytest.mark.parametrize("part", ["target", "output", "output.weight", "target.table"])
def test_a_tied_weight_is_frozen_by_any_of_its_names(part: str) -> None:
    model = make_model(TIED)
    freeze(model, [part])
    assert not model.target.table.weight.requires_grad and not model.output.weight.requires_grad
    assert table_of(model).requires_grad


def test_tied_weights_are_counted_once() -> None:
    model = make_model(TIED_ALL)
    freeze(model, ["source", "target"])
    assert count_frozen(model) == table_of(model).numel()


@pytest.mark.parametrize("tree", MODELS.values(), ids=MODELS.keys())
def test_every_part_of_every_model_can_be_frozen(tree: Tree) -> None:
    parts = {name.partition(".")[0] for name, _ in make_model(tree).named_parameters()}
    for part in parts:
        model = make_model(tree)
        freeze(model, [part])
        names = {name for name, weight in model.named_parameters() if not weight.requires_grad}
        assert names and all(name.startswith(f"{part}.") for name in names)


def test_nothing_is_frozen_unless_asked() -> None:
    model = make_model(model_tree())
    freeze(model, ())
    assert count_frozen(model) == 0
    assert training_settings().freeze == ()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("encodr", "training.freeze: the model has no part 'encodr'; did you mean encoder?"),
        ("decoder.atention", r"did you mean decoder\.attention\?"),
        ("enc", "no part 'enc'; did you mean encoder?"),
        ("xyz", "no part 'xyz'; it has source, target, encoder, "),
        ("", "no part ''; it has source"),
    ],
)
def test_a_part_that_is_not_there_is_refused(part: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        freeze(make_model(model_tree()), ["source", part])


def test_freezing_everything_is_refused() -> None:
    model = make_model(model_tree())
    parts = list(dict.fromkeys(name.partition(".")[0] for name, _ in model.named_parameters()))
    with pytest.raises(
        ConfigError, match=r"source, target, .* would freeze the whole model; leave a part to t"
    ):
        freeze(model, parts)
