"""The programs whose models can be imported. To add one, add a file and a line in SOURCES."""

from collections.abc import Callable, Mapping
from pathlib import Path

from s2scli.errors import CheckpointError, MissingInputError
from s2scli.export.foreign import Foreign, TokenizerFiles
from s2scli.export.from_huggingface import is_huggingface, read_huggingface
from s2scli.export.from_marian import SUFFIX, read_marian
from s2scli.export.from_opennmt import SUFFIX as OPENNMT_SUFFIX
from s2scli.export.from_opennmt import read_opennmt

Source = Callable[[Path, TokenizerFiles], Foreign]
SOURCES: Mapping[str, Source] = {
    "huggingface": read_huggingface,
    "marian": read_marian,
    "opennmt": read_opennmt,
}


def read_foreign(path: Path, files: TokenizerFiles) -> Foreign:
    """Read a model of another program, whose files tell which program it is.

    Raises:
        MissingInputError: a file is missing.
        CheckpointError: the model is damaged, or not one that s2s can import.
        TokenizerError: a tokenizer is damaged.
    """
    return SOURCES[program_of(path)](path, files)


def program_of(path: Path) -> str:
    """Return the program, a key of SOURCES, that wrote a file or folder.

    Raises:
        MissingInputError: the path does not exist.
        CheckpointError: no program is known to write such a file or folder.
    """
    if not path.exists():
        raise MissingInputError(f"{path}: no such file or folder")
    if is_huggingface(path):
        return "huggingface"
    if path.suffix == SUFFIX or (path.is_dir() and any(path.glob(f"*{SUFFIX}"))):
        return "marian"
    if path.suffix == OPENNMT_SUFFIX:
        return "opennmt"
    raise CheckpointError(
        f"{path}: not a model that s2s can import; expected a folder of HuggingFace Transformers "
        f"(config.json and model.safetensors or pytorch_model.bin), or a checkpoint of Marian "
        f"(*{SUFFIX}) or OpenNMT-py (*{OPENNMT_SUFFIX})"
    )
