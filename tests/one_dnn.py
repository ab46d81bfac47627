"""What tests of oneDNN's products need."""

import pytest

from s2scli.model.layers.int8 import int8_multiplies
from s2scli.model.layers.linear import one_dnn_multiplies

needs_one_dnn = pytest.mark.skipif(
    not one_dnn_multiplies(), reason="this PyTorch has no products by oneDNN"
)
needs_int8 = pytest.mark.skipif(
    not int8_multiplies(), reason="this PyTorch has no products of 8 bits for this processor"
)
EITHER_LIBRARY = [False, pytest.param(True, marks=needs_one_dnn)]
