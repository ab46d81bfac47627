"""The latent connection against its formula."""

import pytest
import torch

from s2scli.errors import ConfigError
from s2scli.model.connection.latent import LatentConnection, LatentConnectionSettings
from s2scli.model.connection.summary import SUMMARIES
from s2scli.model.states import EncoderOutput, StateShape
from tests.models import MODELS, make_model, model_tree, small_batch

FINAL, INITIAL = StateShape(2, 1, 6), StateShape(2, 3, 4)


def encoder_output() -> EncoderOutput:
    torch.manual_seed(0)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    state = torch.randn(1, 2, 6), torch.randn(1, 2, 6)
    return EncoderOutput(torch.randn(2, 3, 6), mask, state, padded=True)


def connection(**settings: object) -> LatentConnection:
    torch.manual_seed(1)
    tree = {"latent_dim": 5, **settings}
    return LatentConnectionSettings.model_validate(tree).build(FINAL, 6, INITIAL)


@pytest.mark.parametrize("summary", SUMMARIES)
def test_in_evaluation_it_hands_over_the_mean(summary: str) -> None:
    latent, output = connection(summary=summary).eval(), encoder_output()
    connected = latent(output)
    seen = SUMMARIES[summary](output) @ latent.posterior.weight.T + latent.posterior.bias
    assert connected.latent is not None and connected.vector is not None
    torch.testing.assert_close(connected.latent.mean, seen[:, :5])
    torch.testing.assert_close(connected.latent.log_variance, seen[:, 5:])
    torch.testing.assert_close(connected.vector, seen[:, :5])
    torch.testing.assert_close(latent.code(output), seen[:, :5])
    assert latent.state is not None
    flat = torch.tanh(latent.state(seen[:, :5]))
    for part in range(2):
        for layer in range(3):
            start = (part * 3 + layer) * 4
            torch.testing.assert_close(
                connected.initial[part][layer], flat[:, start : start + 4], atol=1e-6, rtol=1e-5
            )


def test_in_training_it_draws_by_torchs_generator() -> None:
    latent, output = connection().train(), encoder_output()
    torch.manual_seed(3)
    connected = latent(output)
    torch.manual_seed(3)
    noise = torch.randn(2, 5)
    assert connected.latent is not None
    mean, log_variance = connected.latent.mean, connected.latent.log_variance
    torch.testing.assert_close(connected.vector, mean + (log_variance / 2).exp() * noise)


def test_fed_once_it_is_the_first_state_alone() -> None:
    latent = connection(every_step=False)
    assert latent.vector_dim == 0
    assert latent(encoder_output()).vector is None


def test_a_decoder_that_would_never_see_it_is_refused() -> None:
    tree = {**MODELS["latent-transformer"]}
    tree["connection"] = {**tree["connection"], "every_step": False}
    with pytest.raises(ConfigError, match="never sees the source"):
        make_model(tree)


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("latent")])
def test_the_model_says_what_it_drew_from(name: str) -> None:
    model, batch = make_model(MODELS[name]), small_batch()
    latent = model(batch).latent
    assert latent is not None and latent.mean.shape == latent.log_variance.shape == (3, 6)
    torch.testing.assert_close(latent.mean, model.code(batch.source, batch.source_lengths))


def test_other_models_have_drawn_nothing() -> None:
    assert make_model(model_tree())(small_batch()).latent is None


CODED = [name for name, tree in MODELS.items() if tree["attention"]["kind"] == "none"]


@pytest.mark.parametrize("name", CODED)
def test_a_vector_stands_for_its_source(name: str) -> None:
    """Begun from the code of a source, the decoder is where the source would have put it."""
    model, batch = make_model(MODELS[name]), small_batch()
    output = model.encode(batch.source, batch.source_lengths)
    code = model.code(batch.source, batch.source_lengths)
    assert code.shape == (3, model.code_dim)
    tokens = torch.tensor([4, 5, 6])
    torch.testing.assert_close(
        model.step(tokens, model.start_from(code)).logits,
        model.step(tokens, model.start(output)).logits,
    )


def test_who_attends_has_no_code_that_is_enough() -> None:
    assert make_model(model_tree()).code_dim == 0
