"""The everyday settings are flags, which stand for assignments to the recipe."""

from typing import Annotated, get_args

import pytest
import typer
from typer.testing import CliRunner

from s2scli.cli.everyday import (
    OF_BOTH,
    SIDES,
    Assignments,
    BothSides,
    EverydayOptions,
    check,
    refuse_twice,
)
from s2scli.cli.flags import expand
from s2scli.config import load_recipe, recipe_names
from s2scli.errors import UsageError
from s2scli.model.sizes import MODEL_SIZES


def given(*words: str) -> Assignments:
    """Return what a command is given for these words."""
    seen: list[Assignments] = []

    def command(
        name: Annotated[str | None, typer.Option()] = None, *, everyday: EverydayOptions
    ) -> None:
        seen.append(everyday)

    program = typer.Typer()
    program.command()(expand(command))
    result = CliRunner().invoke(program, words)
    assert result.exit_code == 0, result.output
    return seen[0]


@pytest.mark.parametrize(
    ("words", "flag", "assignments"),
    [
        (("--lr", "0.01"), "--learning-rate", ["training.optimizer.learning_rate=0.01"]),
        (("--learning-rate", "1"), "--learning-rate", ["training.optimizer.learning_rate=1.0"]),
        (("--batch-tokens", "99"), "--batch-tokens", ["training.batch_tokens=99"]),
        (("--seed", "7"), "--seed", ["training.seed=7"]),
        (("--precision", "float32"), "--precision", ['training.precision="float32"']),
        (("--accumulate", "2"), "--accumulate", ["training.accumulate=2"]),
        (("--validate-every", "5"), "--validate-every", ["training.validate_every=5"]),
        (("--metric", "bleu"), "--metric", ['training.metric="bleu"']),
        (
            ("--dropout", "0.25"),
            "--dropout",
            ["model.encoder.dropout=0.25", "model.decoder.dropout=0.25"],
        ),
        (
            ("--layers", "2"),
            "--layers",
            ["model.encoder.num_layers=2", "model.decoder.num_layers=2"],
        ),
        (
            ("--width", "64"),
            "--width",
            ["model.encoder.model_dim=64", "model.decoder.model_dim=64"],
        ),
        (("--size", "small"), "--size", ['model.size="small"']),
    ],
)
def test_a_flag_stands_for_assignments(
    words: tuple[str, ...], flag: str, assignments: list[str]
) -> None:
    assert given(*words) == {flag: assignments}
    load_recipe("vaswani2017", assignments)


def test_without_flags_nothing_is_changed() -> None:
    assert given() == {}


@pytest.mark.parametrize("recipe", recipe_names())
def test_both_sides_of_every_recipe_have_the_settings(recipe: str) -> None:
    for side in SIDES:
        settings = getattr(load_recipe(recipe).model, side)
        assert set(OF_BOTH.values()) <= settings.model_dump().keys()


def test_a_setting_given_twice_is_refused() -> None:
    everyday = given("--layers", "2", "--seed", "3")
    refuse_twice(everyday, ["training.batch_tokens=9", "model.encoder.dropout=0.5"])
    with pytest.raises(UsageError, match=r"^--seed and --set training.seed = 4 change the same s"):
        refuse_twice(everyday, ["training.seed = 4"])
    with pytest.raises(UsageError, match=r"--layers and --set model.decoder.num_layers=1 change"):
        refuse_twice(everyday, ["model.decoder.num_layers=1"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--dropout", "7"), r"--dropout: model.encoder.dropout: .*less than 1, found 7.0"),
        (("--lr", "-1"), r"--learning-rate: training.optimizer.learning_rate: .*found -1.0"),
        (("--metric", "blue"), r"--metric: training.metric: .*did you mean bleu\?"),
        (("--size", "huge"), r"--size: model.size: expected tiny, small, base, found 'huge'"),
        (("--seed", "3", "--width", "0"), r"--width: model.encoder.model_dim: .*found 0"),
    ],
)
def test_a_wrong_value_names_its_flag_and_its_setting(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError, match=f"^{told}"):
        check(given(*words))


def test_the_help_of_size_has_the_numbers_of_every_size() -> None:
    field = BothSides.model_fields["size"]
    assert get_args(field.annotation) == tuple(MODEL_SIZES)
    said = field.description or ""
    for name, size in MODEL_SIZES.items():
        assert (
            f"{name} is {size.transformer_layers} layers, {size.width} units, "
            f"ffn_dim {size.ffn_dim}, {size.num_heads} heads"
        ) in said
        plural = "s" * (size.recurrent_layers > 1)
        assert (
            f"{name} is {size.recurrent_layers} layer{plural}, {2 * size.width} units, "
            f"embeddings of {size.width}"
        ) in said
