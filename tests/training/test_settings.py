"""Training settings: lists in a string, and rates within their limits."""

import pytest

from s2scli.errors import ConfigError
from s2scli.settings import Tree, list_settings
from s2scli.training.settings import TrainingSettings
from tests.training.runs import training_settings


def test_a_list_may_be_given_as_a_string() -> None:
    assert training_settings(freeze="encoder,source").freeze == ("encoder", "source")
    assert training_settings(freeze="").freeze == ()
    with pytest.raises(ConfigError, match="freeze: input should be a valid tuple, found 3"):
        training_settings(freeze=3)


def test_a_list_is_listed_as_one() -> None:
    (row,) = [row for row in list_settings(TrainingSettings) if row.path == "freeze"]
    assert (row.type, row.default) == ("list of str", "[]")


@pytest.mark.parametrize(
    "wrong",
    [
        {"bpe_dropout": 1.1},
        {"unigram_alpha": -0.1},
        {"source_token_dropout": 1.1},
        {"target_token_dropout": -0.1},
        {"noise": {"span": 1.0}},
        {"noise": {"delete": 1.0}},
        {"noise": {"mask": 1.1}},
        {"noise": {"permute": 0.5}},
        {"noise": {"span_length": 0}},
    ],
)
def test_a_wrong_rate_is_named(wrong: Tree) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"{name}[.\w]*: input should be .*, found"):
        training_settings(**wrong)
