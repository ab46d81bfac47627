"""What tests of oneDNN's products need."""

import pytest

from s2scli.model.layers.linear import one_dnn_multiplies

needs_one_dnn = pytest.mark.skipif(
    not one_dnn_multiplies(), reason="this PyTorch has no products by oneDNN"
)
EITHER_LIBRARY = [False, pytest.param(True, marks=needs_one_dnn)]
