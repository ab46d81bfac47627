"""Which program wrote a file or folder."""

from pathlib import Path

import pytest

from s2scli.errors import CheckpointError, MissingInputError
from s2scli.export.sources import SOURCES, program_of


@pytest.mark.parametrize(
    ("files", "path", "program"),
    [
        (("config.json", "model.safetensors"), ".", "huggingface"),
        (("config.json", "pytorch_model.bin"), ".", "huggingface"),
        (("model.npz",), ".", "marian"),
        (("model.npz",), "model.npz", "marian"),
        (("step.pt",), "step.pt", "opennmt"),
    ],
)
def test_files_tell_the_program(
    tmp_path: Path, files: tuple[str, ...], path: str, program: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert program_of(tmp_path / path) == program
    assert program in SOURCES


def test_anything_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a model that s2s can import"):
        program_of(tmp_path)
    with pytest.raises(MissingInputError, match="no such file or folder"):
        program_of(tmp_path / "none")
