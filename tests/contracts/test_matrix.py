"""Every encoder with every decoder, attention, order of steps and connection: laws, or a reason."""

import functools
import itertools
import re
from pathlib import Path

import pytest

from s2scli.model.combinations import (
    Combination,
    Matrix,
    every_combination,
    make_matrix,
    values_of,
)
from s2scli.settings import Tree
from tests.covering import covering
from tests.laws import LAWS
from tests.models import make_model

ROOT = Path(__file__).resolve().parents[2]
GROUPED = ("encoder", "decoder", "attention")
Group = tuple[str | bool, ...]
FREE: Tree = {  # other widths than the rest, and nothing shared, so that every weight is its own
    "source": {"embedding_dim": 5},
    "target": {"embedding_dim": 5},
    "tie_embeddings": "none",
}


CHOICES = values_of([*every_combination()])
GROUPS = [*itertools.product(*(CHOICES[f"{part}.kind"] for part in GROUPED))]
each_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: "-".join(map(str, group)))


@functools.cache
def matrix() -> Matrix:
    return make_matrix()


def possible(group: Group) -> list[Combination]:
    """The models of an encoder, a decoder and an attention, in every place and connection."""
    wanted = {f"{part}.kind": kind for part, kind in zip(GROUPED, group, strict=True)}
    return [one for one in matrix().possible if wanted.items() <= one.choices.items()]


def check_laws(combinations: list[Combination]) -> None:
    for combination in combinations:
        model = make_model({**combination.tree, **FREE}).double()
        for law in LAWS:
            try:
                law(model)
            except AssertionError as error:
                error.add_note(f"{law.__name__}: {combination.choices}")
                raise


@pytest.mark.gate
def test_every_pair_of_choices_keeps_the_laws() -> None:
    every = matrix().possible
    check_laws([every[index] for index in covering([one.choices for one in every])])


@pytest.mark.slow
@each_group
def test_every_combination_keeps_the_laws(group: Group) -> None:
    check_laws(possible(group))


def test_the_matrix_is_the_unions() -> None:
    assert CHOICES == {
        "encoder.kind": ["elman", "gru", "lstm", "transformer"],
        "decoder.kind": ["elman", "gru", "lstm", "transformer", "ssru"],
        "decoder.attend": ["before", "after"],
        "decoder.input_feeding": [False, True],
        "attention.kind": ["additive", "dot", "general", "scaled_dot", "multi_head", "none"],
        "connection.kind": ["last", "projected", "mean", "max", "latent", "none"],
        "connection.every_step": [False, True],
    }


def test_every_refusal_says_why_and_what_to_choose() -> None:
    refusals = matrix().refusals
    for refusal in refusals:
        assert re.match(r"model\.[a-z_.]+: .*; choose ", refusal.fault)
        assert refusal.choices, "a reason that holds for everything is none"
    assert sum(refusal.count for refusal in refusals) == len(matrix().refused)
    assert [refusal.count for refusal in refusals] == sorted(
        (refusal.count for refusal in refusals), reverse=True
    )


def test_only_these_are_refused() -> None:
    """A second, plain table of what cannot be made."""
    state_parts = {"elman": 1, "gru": 1, "lstm": 2, "transformer": 0, "ssru": 0}
    for combination in (*matrix().possible, *matrix().refused):
        choices = combination.choices
        begun = state_parts[str(choices["decoder.kind"])]
        ended = max(1, state_parts[str(choices["encoder.kind"])])
        blind, connection = choices["attention.kind"] == "none", choices["connection.kind"]
        shown = choices.get("connection.every_step", False)
        refused = (
            (blind and choices.get("decoder.attend") == "before")
            or (blind and choices.get("decoder.input_feeding", False))
            or (blind and connection == "none")
            or (connection == "last" and begun and begun != ended)
            or (connection != "none" and not begun and not shown)
        )
        assert bool(combination.fault) == bool(refused), (choices, combination.fault)


def test_the_documents_count_what_is_possible() -> None:
    count = f"{len(matrix().possible):,} combinations"
    for name in ("README.md", "CHANGELOG.md"):
        assert count in " ".join((ROOT / name).read_text(encoding="utf-8").split()), name
    by_pair = [
        matrix().count(str(encoder), str(decoder))
        for encoder in CHOICES["encoder.kind"]
        for decoder in CHOICES["decoder.kind"]
    ]
    assert sum(by_pair) == len(matrix().possible)
