"""Folders of Hugging Face `datasets`, as `save_to_disk` writes them: Arrow files and JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s2scli.errors import CorpusError

STATE, SPLITS = "state.json", "dataset_dict.json"
MAX_JSON_BYTES = 16_000_000


def is_dataset(folder: Path) -> bool:
    """Whether a folder holds one dataset, which is not a dictionary of splits."""
    return (folder / STATE).is_file()


def expand_folders(paths: Sequence[Path]) -> list[Path]:
    """Return paths with the Arrow files of each dataset folder in its place, in order.

    Other paths are returned as they are.

    Raises:
        CorpusError: a dataset folder is damaged, or holds several splits.
    """
    return [file for path in paths for file in (_files(path) if path.is_dir() else [path])]


def _files(folder: Path) -> list[Path]:
    splits = folder / SPLITS
    if splits.is_file():
        names = _read(splits).get("splits")
        first = names[0] if isinstance(names, list) and names else "train"
        raise CorpusError(
            f"{folder}: a dataset with the splits {names!s:.200}; name the folder of one, such as "
            f"{folder / str(first)}"
        )
    if not is_dataset(folder):
        return [folder]
    listed = _read(folder / STATE).get("_data_files")
    names = [one.get("filename") for one in listed if isinstance(one, dict)] if listed else []
    if not names or not all(map(_is_plain, names)):
        raise CorpusError(f"{folder / STATE}: damaged, expected the names of Arrow files")
    return [folder / name for name in names]


def _is_plain(name: Any) -> bool:
    """Whether this is the name of an Arrow file in the same folder."""
    return isinstance(name, str) and name.endswith(".arrow") and Path(name).name == name


def _read(path: Path) -> dict[str, Any]:
    """Read a JSON object, which is not trusted."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JSON_BYTES + 1)
        found = json.loads(content) if len(content) <= MAX_JSON_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise CorpusError(f"{path}: damaged, or cannot be read ({error!s:.100})") from error
    if not isinstance(found, dict):
        raise CorpusError(f"{path}: damaged, expected a JSON object")
    return found
