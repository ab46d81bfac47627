"""Models of every variant keep the laws of every model (`test_matrix.py` has every combination)."""

from collections.abc import Callable

import pytest
import torch

from s2scli.model.seq2seq import Seq2Seq
from s2scli.settings import Tree
from tests.laws import LAWS, gradients_reach_every_weight
from tests.models import MODELS, make_model


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("tree", MODELS.values(), ids=MODELS.keys())
def test_law(tree: Tree, law: Callable[[Seq2Seq], None]) -> None:
    law(make_model(tree).double())  # what is equal is equal to many places


@pytest.mark.parametrize(
    "law",
    [law for law in LAWS if law != gradients_reach_every_weight],
    ids=lambda law: law.__name__,
)
@pytest.mark.parametrize("tree", MODELS.values(), ids=MODELS.keys())
def test_law_where_nothing_is_learned(tree: Tree, law: Callable[[Seq2Seq], None]) -> None:
    model = make_model(tree).double()
    with torch.inference_mode():  # single steps go another way there
        law(model)
