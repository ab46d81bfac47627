"""A device that is not there: it finds out where the host would wait for it.

Tensors of the device are ordinary tensors that are remembered; what is computed from one of them is
on the device too. The host would wait wherever it reads a value of such a tensor, or needs one to
know the shape of a result.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SHAPED_BY_VALUES = ("nonzero", "masked_select", "_unique2", "bincount", "repeat_interleave")
READ_BY_HOST = ("_local_scalar_dense", "equal", "is_nonzero", *SHAPED_BY_VALUES)
SHAPED_BY_NUMBERS = ("aten.repeat_interleave.self_int",)  # which the host knows
SIZES_ON_HOST = ("_pack_padded_sequence",)  # only their first result is on the device
READING_METHODS = (Tensor.tolist, Tensor.numpy, Tensor.__array__, Tensor.cpu)


class FakeDevice(AbstractContextManager["FakeDevice"]):
    """Remembers which tensors are on the device, and records the waits of the host.

    Attributes:
        waits: the names of the operations at which the host waited.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self.waits: list[str] = []
        self._held: dict[int, Tensor] = {}  # holds them, so that no memory is used twice
        self._modes = ExitStack()
        self.put(tensors)

    def put(self, tensors: Iterable[Tensor]) -> None:
        """Put tensors on the device."""
        for tensor in tensors:
            self._held[tensor.untyped_storage().data_ptr()] = tensor.detach()

    def has(self, values: object) -> bool:
        """Return whether any tensor among some values is on the device."""
        return any(
            isinstance(leaf, Tensor) and leaf.untyped_storage().data_ptr() in self._held
            for leaf in tree_leaves(values)
        )

    def fetch(self, tensor: Tensor) -> Tensor:
        """Return a copy of a tensor that is not on the device."""
        copy = tensor.clone()
        self._held.pop(copy.untyped_storage().data_ptr(), None)
        return copy

    def __enter__(self) -> "FakeDevice":
        self._modes.enter_context(_Methods(self))
        self._modes.enter_context(_Operations(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._modes.close()


class _Methods(TorchFunctionMode):
    """Sees methods that read a tensor without an operation."""

    def __init__(self, device: FakeDevice) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func not in READING_METHODS or not self.device.has(args):
            return result
        self.device.waits.append(func.__name__)
        return self.device.fetch(result) if func is Tensor.cpu else result


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation, those of the backward pass included."""

    def __init__(self, device: FakeDevice) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = device

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self.device.has((args, kwargs)):
            return result
        name = func.overloadpacket.__name__
        if (name in READ_BY_HOST and str(func) not in SHAPED_BY_NUMBERS) or (
            name.startswith("index") and self._has_mask(args)
        ):
            self.device.waits.append(name)
        results = tree_leaves(result)[: 1 if name in SIZES_ON_HOST else None]
        self.device.put(leaf for leaf in results if isinstance(leaf, Tensor))
        return result

    def _has_mask(self, args: tuple[Any, ...]) -> bool:
        """Return whether an operation is indexed by a mask on the device."""
        indices = [leaf for leaf in tree_leaves(args[1:2]) if isinstance(leaf, Tensor)]
        return any(index.dtype == torch.bool and self.device.has(index) for index in indices)
