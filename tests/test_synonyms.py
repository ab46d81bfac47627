"""The table of synonyms names only what exists, and nothing that needs no synonym."""

import re

import pytest

from s2scli.config import Recipe, load_recipe
from s2scli.errors import ConfigError
from s2scli.search.settings import SearchSettings
from s2scli.settings import load_settings, paths_called
from s2scli.synonyms import SYNONYMS, meaning
from tests.cli.test_help import COMMANDS

FLAGS = {flag for command in COMMANDS.values() for one in command.params for flag in one.opts}


@pytest.mark.parametrize("name", SYNONYMS)
def test_what_is_meant_exists(name: str) -> None:
    meant = SYNONYMS[name]
    in_sentence = r"--[\w-]+|\b[a-z]+\.\w[\w.]*"
    for word in re.findall(in_sentence, meant) if isinstance(meant, str) else meant:
        known = FLAGS if word.startswith("--") else paths_called(Recipe, word.rpartition(".")[2])
        assert word in known, word


@pytest.mark.parametrize("name", SYNONYMS)
def test_a_sentence_names_commands_that_exist(name: str) -> None:
    meant = SYNONYMS[name]
    for words in re.findall(r"s2s (train|inspect \w+)", meant if isinstance(meant, str) else ""):
        assert tuple(words.split()) in COMMANDS


@pytest.mark.parametrize(
    "name", ["batch_size", "hidden_size", "d_model", "heads", "fp16", "bf16", "lr", "tensorboard"]
)
def test_familiar_names_are_known(name: str) -> None:
    assert meaning(name) == meaning(f"--{name.replace('_', '-')}") == SYNONYMS[name]
    assert meaning(name.upper()) == SYNONYMS[name]


def test_a_name_that_nobody_brings_has_no_meaning() -> None:
    assert meaning("--zzz") == ()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("training.lr", "did you mean training.optimizer.learning_rate?"),
        ("training.learning_rate", "did you mean training.optimizer.learning_rate?"),
        ("learning_rate", "did you mean training.optimizer.learning_rate?"),
        ("training.batch_size", "did you mean training.batch_tokens?"),
        ("training.max_steps", "did you mean training.limits.max_steps?"),
        ("model.encoder.heads", "did you mean model.encoder.num_heads?"),
        ("model.heads", "did you mean model.encoder.num_heads or model.decoder.num_heads?"),
        ("training.bf16", "did you mean training.precision?"),
        ("training.early_stopping", "did you mean training.limits.patience?"),
        ("search.num_beams", "did you mean search.beam_size?"),
        (
            "training.resume",
            "s2s train resumes automatically: run the same command again (--restart",
        ),
    ],
)
def test_an_unknown_setting_is_answered_by_meaning(path: str, answer: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_recipe("transformer-tiny", [f"{path}=1"])
    assert f"unknown setting {path}; {answer}" in str(refusal.value)


def test_a_section_alone_is_answered_by_its_own_names() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting num_beams; did you mean beam_size\?"):
        load_settings(SearchSettings, {"num_beams": 4}, "search")
