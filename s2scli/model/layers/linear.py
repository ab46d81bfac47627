"""Linear layers with the first weights that deep stacks want."""

from torch import nn


def make_linear(input_dim: int, output_dim: int, *, parts: int = 1, bias: bool = True) -> nn.Linear:
    """Return a layer with uniform Xavier weights (Glorot & Bengio 2010, eq. 16), zero bias.

    Args:
        input_dim: width of what it reads.
        output_dim: width of each part of what it says.
        parts: layers in one, side by side, each drawn as if it were alone.
        bias: whether it has a bias.
    """
    layer = nn.Linear(input_dim, parts * output_dim, bias=bias)
    if not layer.weight.is_meta:  # there it would only import torch._dynamo, for over a second
        for part in layer.weight.data.chunk(parts):
            nn.init.xavier_uniform_(part)
        if bias:
            nn.init.zeros_(layer.bias)
    return layer
