"""The weights of a model: list, encode, read, check and load them."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from s2scli.artifacts import plain_file_size
from s2scli.errors import CheckpointError


def encode_tensors(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> bytes:
    """Return tensors as safetensors bytes; tensors that share memory are written separately."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    copies = {name: tensor.clone() for name, tensor in plain.items()}
    return safetensors.torch.save(copies, dict(metadata) if metadata else None)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        CheckpointError: the file is missing, damaged or not a regular file.
    """
    plain_file_size(path)  # refuses a pipe, which the library would wait for
    try:
        with utf8_path(path) as name:
            return safetensors.torch.load_file(name)
    except (safetensors.SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not a safetensors file ({error!s:.200})") from error


def model_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a model's weights by name; tied weights appear once."""
    return dict(model.named_parameters())


@contextlib.contextmanager
def utf8_path(path: Path) -> Iterator[str]:
    """Yield a path to the file that is valid UTF-8, as safetensors requires."""
    name = str(path)
    if name.encode(errors="replace").decode() == name:
        yield name
        return
    with path.open("rb") as file:
        yield f"/dev/fd/{file.fileno()}"


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Copy weights into a model.

    Args:
        model: the model to change.
        weights: the new weights, by name.
        where: the origin of the weights, for messages.

    Raises:
        CheckpointError: a weight is missing, is unknown, has the wrong shape or type, or is not
            finite.
    """
    own = model_weights(model)
    check_weights(own, weights, where)
    with torch.no_grad():  # not through `weight.data`, as layouts would not notice the change
        for name, weight in own.items():
            weight.copy_(weights[name])


def check_weights(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], where: str) -> None:
    """Check that weights can replace a model's own weights.

    Args:
        own: the model's weights, by name.
        weights: the new weights, by name.
        where: the origin of the weights, for messages.

    Raises:
        CheckpointError: a weight is missing, is unknown, has the wrong shape or type, or is not
            finite.
    """
    if own.keys() != weights.keys():
        odd = sorted(own.keys() ^ weights.keys())[0]
        raise CheckpointError(
            f"{where}: the weights do not match the recipe ({odd:.80} is in only one of them)"
        )
    for name, weight in own.items():
        found = weights[name]
        if (found.shape, found.dtype) != (weight.shape, weight.dtype):
            raise CheckpointError(
                f"{where}: {name} is {found.dtype} {tuple(found.shape)}, "
                f"expected {weight.dtype} {tuple(weight.shape)} as in the recipe"
            )
        if not found.isfinite().all():
            raise CheckpointError(f"{where}: {name} contains values that are not finite")
