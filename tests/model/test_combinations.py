"""Combinations of parts: what they chose, and why they cannot be; the laws are in contracts."""

from s2scli.model.combinations import Combination, Matrix, every_combination, values_of
from s2scli.settings import Tree
from tests.models import model_tree


def combination(**parts: Tree) -> Combination:
    return Combination({**model_tree("gru", "gru", "dot"), "connection": {"kind": "none"}, **parts})


def test_a_combination_knows_what_it_chose() -> None:
    chosen = combination(decoder={"kind": "lstm", "attend": "before", "model_dim": 8}).choices
    assert chosen == {
        "encoder.kind": "gru",
        "decoder.kind": "lstm",
        "decoder.attend": "before",
        "attention.kind": "dot",
        "connection.kind": "none",
    }


def test_refusals_for_one_reason_are_counted_together() -> None:
    possible, blind = combination(), combination(attention={"kind": "none"})
    late = combination(attention={"kind": "none"}, encoder={"kind": "elman", "model_dim": 4})
    assert not possible.fault and blind.fault == late.fault
    matrix = Matrix((possible,), (blind, late))
    (refusal,) = matrix.refusals
    assert (matrix.total, refusal.count, refusal.fault) == (3, 2, blind.fault)
    assert refusal.choices == {"attention.kind": ["none"]}, "what they share and others have not"
    assert matrix.count("gru", "gru") == 1
    assert matrix.document["count"] == 1


def test_every_kind_of_every_part_is_tried() -> None:
    some = [*every_combination()]
    values = values_of(some)
    assert values["connection.kind"] == ["last", "projected", "mean", "max", "latent", "none"]
    assert len({str(each.tree) for each in some}) == len(some)
