"""The whole model: what is tied, what it refuses, and the few things others ask of its parts."""

import pytest
import torch
import torch.nn.functional as F

from s2scli.errors import ConfigError
from s2scli.model.frontend.tokens import TABLE, TokenFrontend, TokenFrontendSettings
from s2scli.model.seq2seq import Seq2Seq, count_parameters, pick_device
from s2scli.model.settings import ModelSettings
from s2scli.settings import Tree, load_settings
from tests.models import (
    MODELS,
    VOCAB_SIZE,
    make_model,
    model_tree,
    small_batch,
    transformer_tree,
)


def build(tree: Tree, *, joint: bool = True) -> Seq2Seq:
    settings = load_settings(ModelSettings, tree, "test")
    return Seq2Seq(settings, VOCAB_SIZE, VOCAB_SIZE, joint=joint)


def shared(model: Seq2Seq) -> tuple[bool, bool]:
    """Whether the output layer, and the source's table, are the target's table."""
    table = dict(model.target.named_parameters())[TABLE]
    return model.output.weight is table, model.source.vectors is table


@pytest.mark.parametrize(
    ("tie", "joint", "expected"),
    [
        ("none", True, (False, False)),
        ("target", True, (True, False)),
        ("all", True, (True, True)),
        ("auto", True, (True, True)),
        ("auto", False, (True, False)),
    ],
)
def test_ties_what_is_asked_for(tie: str, joint: bool, expected: tuple[bool, bool]) -> None:
    assert shared(build({**model_tree(), "tie_embeddings": tie}, joint=joint)) == expected


def test_auto_ties_nothing_where_widths_differ() -> None:
    tree = {**model_tree(attention="none", readout="state"), "tie_embeddings": "auto"}
    assert shared(build(tree)) == (False, False)


def test_tied_weights_are_counted_once() -> None:
    free, tied = (build({**model_tree(), "tie_embeddings": tie}) for tie in ("none", "all"))
    assert count_parameters(free) - count_parameters(tied) == 2 * VOCAB_SIZE * 5


@pytest.mark.parametrize(
    ("tree", "width"),
    [
        (model_tree(readout_dim=7), 7),
        (model_tree(attention="none", readout="state"), 8),
        (transformer_tree(), 8),
    ],
)
def test_refuses_to_tie_different_widths_and_says_which_width_would_do(
    tree: Tree, width: int
) -> None:
    tree["tie_embeddings"] = "target"
    choice = rf"choose model\.target\.embedding_dim = {width}, or none"
    with pytest.raises(ConfigError, match=rf"layer reads {width} units but .* is 5; {choice}"):
        build(tree)
    tree["target"] = {"embedding_dim": width}
    assert shared(build(tree))[0]


def test_refuses_to_tie_separate_vocabularies() -> None:
    with pytest.raises(ConfigError, match="all needs a joint vocabulary"):
        build({**model_tree(), "tie_embeddings": "all"}, joint=False)


def test_last_connection_refuses_states_of_different_shapes() -> None:
    tree = {**model_tree("gru", "lstm"), "connection": {"kind": "last"}}
    with pytest.raises(ConfigError, match=r"model\.connection\.kind: last needs .* projected"):
        build(tree)


@pytest.mark.parametrize(
    ("attention", "choices", "message"),
    [
        ("none", {"attend": "before"}, "attend: before needs attention"),
        ("none", {"input_feeding": True}, "input_feeding: true needs attention"),
        ("dot", {}, "attend: after has no effect"),
        ("dot", {"attend": "before", "input_feeding": True}, "input_feeding: true has no effect"),
        ("none", {"deep_output": True}, "deep_output: true has no effect"),
        ("none", {"readout_dim": 8}, "readout_dim: 8 has no effect"),
    ],
)
def test_refuses_a_choice_that_changes_nothing(attention: str, choices: Tree, message: str) -> None:
    readout = "state" if "has no effect" in message else "tanh"
    with pytest.raises(ConfigError, match=rf"model\.decoder\.{message}.*; choose"):
        build(model_tree("gru", "gru", attention, readout=readout, **choices))


def test_a_state_that_has_seen_the_context_may_be_the_readout() -> None:
    build(model_tree("gru", "gru", "dot", attend="before", readout="state"))


def test_refuses_to_turn_what_is_read_in_both_directions() -> None:
    tree = model_tree()
    tree["encoder"]["reverse"] = True
    with pytest.raises(ConfigError, match=r"model\.encoder\.reverse: .*bidirectional.*; set one"):
        build(tree)


def test_refuses_a_connection_that_no_state_begins_with() -> None:
    tree = {**transformer_tree(), "connection": {"kind": "mean"}}
    with pytest.raises(ConfigError, match=r"connection\.kind: .* has no effect.*every_step = true"):
        build(tree)


class Sound(TokenFrontend):
    """A front end that reads no tokens."""

    @property
    def vectors(self) -> None:
        return None

    def rows(self) -> tuple[str, ...]:
        return ()


def test_a_front_end_without_a_table_is_not_tied(monkeypatch: pytest.MonkeyPatch) -> None:
    def build_sound(settings: TokenFrontendSettings, vocab_size: int, pad_id: int) -> Sound:
        return Sound(settings, vocab_size, pad_id)

    monkeypatch.setattr(TokenFrontendSettings, "build", build_sound)
    model = build({**model_tree(), "tie_embeddings": "auto"})
    assert isinstance(model.source, Sound)
    assert shared(model) == (False, False)
    assert model.token_rows == {"output.weight": "target", "output.bias": "target"}
    with pytest.raises(ConfigError, match=r"model\.tie_embeddings"):
        build({**model_tree(), "tie_embeddings": "target"})


def test_names_the_weights_that_have_a_row_for_each_token() -> None:
    sides = build(model_tree()).token_rows
    assert sides == {
        "source.table.weight": "source",
        "target.table.weight": "target",
        "output.weight": "target",
        "output.bias": "target",
    }


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_tokens_is_that_of_their_logits(smoothing: float) -> None:
    model, batch = make_model(model_tree()), small_batch()
    hidden, target = model(batch).hidden[batch.target_mask], batch.target_output[batch.target_mask]
    expected = F.cross_entropy(
        model.logits(hidden), target, reduction="sum", label_smoothing=smoothing
    )
    torch.testing.assert_close(model.token_loss(hidden, target, smoothing), expected)


def test_a_source_has_a_code_and_where_there_is_a_prior_a_posterior() -> None:
    batch = small_batch()
    latent, plain = make_model(MODELS["latent-gru"]), make_model(MODELS["mean-every-step"])
    assert latent.has_prior and not plain.has_prior
    posterior = latent.posterior(batch.source, batch.source_lengths)
    assert torch.equal(posterior.mean, latent.code(batch.source, batch.source_lengths))
    assert plain.code(batch.source, batch.source_lengths).shape == (3, plain.code_dim)


def test_picks_a_device() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda")


def test_picks_the_gpu_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda") == torch.device("cuda")
    assert pick_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ConfigError, match="--device cuda:2: PyTorch finds 2 GPUs to use; choose"):
        pick_device("cuda:2")


@pytest.mark.parametrize("name", ["tpu", "", "cudax", "cuda:", "cuda:-1", "cuda:1e3", "meta"])
def test_refuses_an_unknown_device(name: str) -> None:
    with pytest.raises(ConfigError, match=f"--device {name}: unknown; choose auto, cpu, cuda or c"):
        pick_device(name)


def test_refuses_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for name in ("cuda", "cuda:9"):
        with pytest.raises(ConfigError, match=f"--device {name}: PyTorch finds no GPU to use"):
            pick_device(name)
