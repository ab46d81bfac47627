"""The weights of a model: by name, as safetensors, and put into it."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from s2scli.artifacts import plain_file_size
from s2scli.errors import CheckpointError


def encode_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors as safetensors bytes; shared memory is written once for each name."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save({name: tensor.clone() for name, tensor in plain.items()})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        CheckpointError: it is missing, damaged, or not a regular file.
    """
    plain_file_size(path)  # the library would wait for a pipe
    try:
        with utf8_path(path) as name:
            return safetensors.torch.load_file(name)
    except (safetensors.SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not a safetensors file ({error!s:.200})") from error


def model_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a model's weights by name, tied ones once."""
    return dict(model.named_parameters())


@contextlib.contextmanager
def utf8_path(path: Path) -> Iterator[str]:
    """Yield a path of the file in UTF-8, since safetensors opens no other."""
    name = str(path)
    if name.encode(errors="replace").decode() == name:
        yield name
        return
    with path.open("rb") as file:
        yield f"/dev/fd/{file.fileno()}"


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Put weights into a model.

    Raises:
        CheckpointError: a weight is missing, unknown, of another shape or type, or not finite.
    """
    own = model_weights(model)
    check_weights(own, weights, where)
    with torch.no_grad():  # not through `data`, which would hide the change from layouts
        for name, weight in own.items():
            weight.copy_(weights[name])


def check_weights(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], where: str) -> None:
    """Check that weights can replace a model's own.

    Raises:
        CheckpointError: as `load_weights`.
    """
    if own.keys() != weights.keys():
        odd = sorted(own.keys() ^ weights.keys())[0]
        raise CheckpointError(
            f"{where}: the weights are not this recipe's ({odd:.80} on one side only)"
        )
    for name, weight in own.items():
        found = weights[name]
        if (found.shape, found.dtype) != (weight.shape, weight.dtype):
            raise CheckpointError(
                f"{where}: {name} is {found.dtype} {tuple(found.shape)}, "
                f"the recipe wants {weight.dtype} {tuple(weight.shape)}"
            )
        if not found.isfinite().all():
            raise CheckpointError(f"{where}: {name} holds values that are not finite")
