"""Models of every variant keep the laws of every model (`test_matrix.py` has every combination)."""

from collections.abc import Callable

import pytest

from s2scli.model.seq2seq import Seq2Seq
from s2scli.settings import Tree
from tests.laws import LAWS
from tests.models import MODELS, make_model


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("tree", MODELS.values(), ids=MODELS.keys())
def test_law(tree: Tree, law: Callable[[Seq2Seq], None]) -> None:
    law(make_model(tree).double())  # what is equal is equal to many places
