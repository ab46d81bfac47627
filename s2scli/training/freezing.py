"""Freezing: parts of a model that are not trained."""

import difflib
from collections.abc import Sequence

from torch import nn

from s2scli.errors import ConfigError
from s2scli.model.kernels.batch_norm import running_statistics


def freeze(model: nn.Module, parts: Sequence[str]) -> None:
    """Exclude parts of a model from training.

    A weight that several parts share is frozen if any of them is.

    Args:
        model: the model to freeze parts of.
        parts: prefixes of weight names, up to a dot, such as `encoder` or `decoder.attention`.

    Raises:
        ConfigError: no weight has this prefix (the message suggests another), or no weight would
            be left to train.
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
            f"training.freeze: {', '.join(parts)} would freeze the whole model; "
            "leave a part to train"
        )


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights that are trained, by name and in the model's order; tied ones once."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def count_frozen(model: nn.Module) -> int:
    """Return the number of frozen weights, counting tied ones once.

    Running statistics, which are never trained, do not count.
    """
    never = {id(weight) for weight in running_statistics(model)}
    frozen = [weight for weight in model.parameters() if not weight.requires_grad]
    return sum(weight.numel() for weight in frozen if id(weight) not in never)


def _hint(model: nn.Module, part: str) -> str:
    """Suggest the part with the most similar name, or else list the top-level parts."""
    names = [name.split(".") for name, _ in model.named_parameters(remove_duplicate=False)]
    parts = {".".join(name[:depth]) for name in names for depth in range(1, len(name) + 1)}
    near = difflib.get_close_matches(part, sorted(parts), n=1, cutoff=0.5)
    known = ", ".join(dict.fromkeys(name[0] for name in names))
    return f"did you mean {near[0]}?" if near else f"it has {known}"
