"""Read the tensors of another program's checkpoint, in a process of its own.

`python -m s2scli.export.unpack FILE FOLDER` writes them as safetensors, beside the plain facts as
JSON. No pickled code is ever run, and the process may use only so much memory and time.
"""

import argparse
import json
import re
import sys
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2scli.artifacts import plain_file_size
from s2scli.errors import CheckpointError
from s2scli.memory import is_out_of_memory
from s2scli.model.weights import encode_tensors, read_tensors

TENSORS, FACTS = "tensors.safetensors", "facts.json"
SPARE_BYTES, SPARE_MEMORY = 1_000_000, 2_000_000_000
COPIES = 8  # of the file, in memory at once
NAMES = 4  # of a tied table: shared, source, target and output
SECONDS = 1_800
MAX_LEVELS, MAX_PIECES = 12, 1_000_000
TYPES = (torch.float32, torch.float16, torch.bfloat16)
_REFUSED = re.compile(r"GLOBAL (\S+)")


@dataclass(frozen=True)
class Unpacked:
    """The content of a checkpoint.

    Attributes:
        tensors: the tensors of floating point, by name.
        facts: everything else that JSON can hold, by name.
    """

    tensors: Mapping[str, Tensor] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)


def unpack(path: Path) -> Unpacked:
    """Return the content of a checkpoint; run it only in a process of its own.

    Raises:
        CheckpointError: the file is missing, damaged, of an unknown kind or claims to be larger
            than it is.
    """
    reader = READERS.get(path.suffix)
    if reader is None:
        known = ", ".join(READERS)
        raise CheckpointError(f"{path}: unknown kind of checkpoint; expected one of {known}")
    size = plain_file_size(path)
    try:
        found = reader(path)
    except MemoryError as error:
        raise CheckpointError(f"{path}: claims to hold more than its {size:,} bytes") from error
    claimed = _claimed(found.tensors.values())
    if claimed > 2 * size + SPARE_BYTES:
        raise CheckpointError(
            f"{path}: claims to hold {claimed:,} bytes of tensors, and has {size:,} bytes"
        )
    return found


def _claimed(tensors: Iterable[Tensor]) -> int:
    """Return the bytes of all tensors; up to NAMES tensors that are the same one count once."""
    stored = Counter(
        (each.data_ptr(), each.dtype, each.shape, each.stride(), each.numel() * each.element_size())
        for each in tensors
    )
    return sum(key[-1] * max(1, 1 + count - NAMES) for key, count in stored.items())


def read_npz(path: Path) -> Unpacked:
    """Read the arrays of a NumPy archive; an array of bytes is a text.

    Raises:
        CheckpointError: the file is damaged, or holds objects of Python.
    """
    size = plain_file_size(path)
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(entry.file_size for entry in archive.infolist())
        if claimed > 2 * size + SPARE_BYTES:
            raise ValueError(f"claims to hold {claimed:,} bytes, and has {size:,}")
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays.files:
                array = arrays[name]
                if array.dtype in (np.float32, np.float16):
                    tensors[name] = torch.from_numpy(np.array(array))
                elif array.dtype in (np.int8, np.uint8):
                    facts[name] = array.tobytes().rstrip(b"\0").decode()
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(f"{path}: not a NumPy archive of numbers ({error!s:.200})") from error
    return Unpacked(tensors, facts)


def read_pickle(path: Path) -> Unpacked:
    """Read the tensors and plain values of a PyTorch checkpoint.

    Raises:
        CheckpointError: the file is damaged, or holds code or objects of Python.
    """
    plain_file_size(path)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")
            tree = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises anything
        if is_out_of_memory(error):
            raise MemoryError from error
        found = _REFUSED.search(str(error))
        why = f"it would run {found[1]}" if found else f"{error!s:.100}".split("\n", 1)[0]
        raise CheckpointError(
            f"{path}: not a checkpoint of tensors and plain values ({why}); nothing of it was run"
        ) from error
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {}
    _sort("", tree, tensors, facts, MAX_LEVELS)
    return Unpacked(tensors, facts)


def _sort(
    name: str, value: object, tensors: dict[str, Tensor], facts: dict[str, Any], levels: int
) -> None:
    """Add the tensors and the plain values in a tree to those that were found."""
    if isinstance(value, argparse.Namespace):
        value = vars(value)
    if isinstance(value, Mapping) and levels:
        for key, inner in value.items():
            if isinstance(key, str):
                _sort(f"{name}.{key}" if name else key, inner, tensors, facts, levels - 1)
    elif isinstance(value, Tensor):
        if value.dtype in TYPES:
            tensors[name] = value.detach()
    elif value is None or isinstance(value, str | int | float | bool):
        facts[name] = value
    elif isinstance(value, Sequence) and len(value) <= MAX_PIECES:
        facts[name] = [each for each in value if isinstance(each, str | int | float | bool)]


READERS: Mapping[str, Callable[[Path], Unpacked]] = {
    ".safetensors": lambda path: Unpacked(read_tensors(path), {}),
    ".npz": read_npz,
    ".bin": read_pickle,
    ".pt": read_pickle,
}


def _limit(size: int) -> None:
    """Limit the memory and the time of this process, where the system can."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    in_use = Path("/proc/self/statm")  # Linux has it
    if in_use.exists():
        pages, _, _ = in_use.read_text().partition(" ")
        memory = int(pages) * resource.getpagesize() + COPIES * size + SPARE_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def main(path: Path, folder: Path) -> str | None:
    """Write the content of a checkpoint to a folder; return the fault if there is one."""
    try:
        _limit(plain_file_size(path))
        found = unpack(path)
        (folder / TENSORS).write_bytes(encode_tensors(found.tensors))
        (folder / FACTS).write_text(json.dumps(found.facts), encoding="utf-8")
    except CheckpointError as error:
        return str(error)
    except MemoryError:
        return f"{path}: needs more memory than its size allows"
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
