"""Freezing: weights that a fine-tuned model keeps from the one it began with."""

import difflib
from collections.abc import Sequence

from torch import nn

from s2scli.errors import ConfigError


def freeze(model: nn.Module, parts: Sequence[str]) -> None:
    """Give the weights of some parts no gradient.

    A weight shared by several parts is frozen if any of its names is.

    Args:
        model: whose weights to freeze.
        parts: beginnings of weight names, up to a dot: `encoder`, `decoder.attention`.

    Raises:
        ConfigError: no weight's name begins so (the nearest part is named), or none is left.
    """
    for part in parts:
        weights = [
            weight
            for name, weight in model.named_parameters(remove_duplicate=False)
            if f"{name}.".startswith(f"{part}.")
        ]
        if not weights:
            raise ConfigError(
                f"training.freeze: the model has no part {part!r}; {_hint(model, part)}"
            )
        for weight in weights:
            weight.requires_grad_(False)
    if not trainable(model):
        raise ConfigError(
            f"training.freeze: {', '.join(parts)} is the whole model and leaves nothing to learn"
        )


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights that learn by name, tied ones once, in the model's order."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def count_frozen(model: nn.Module) -> int:
    """Return the number of weights that stay as they are, tied ones counted once."""
    return sum(weight.numel() for weight in model.parameters() if not weight.requires_grad)


def _hint(model: nn.Module, part: str) -> str:
    """Return the part whose name is nearest, or else the outermost parts."""
    names = [name.split(".") for name, _ in model.named_parameters(remove_duplicate=False)]
    parts = {".".join(name[:depth]) for name in names for depth in range(1, len(name) + 1)}
    near = difflib.get_close_matches(part, sorted(parts), n=1, cutoff=0.5)
    known = ", ".join(dict.fromkeys(name[0] for name in names))
    return f"did you mean {near[0]}?" if near else f"it has {known}"
