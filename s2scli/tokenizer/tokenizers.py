"""The tokenizers of a model's two sides, and their files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from s2scli.artifacts import read_json
from s2scli.errors import TokenizerError
from s2scli.manifest import Manifest, encode_json, in_one_generation, verify_folder
from s2scli.normalization import Normalization
from s2scli.settings import Settings
from s2scli.tokenizer.sentencepiece import SentencePiece, load_sentencepiece
from s2scli.tokenizer.settings import Kind

DESCRIPTION = "tokenizer.json"
SOURCE_MODEL, TARGET_MODEL, JOINT_MODEL = "source.model", "target.model", "joint.model"


class Description(Settings):
    """The content of `tokenizer.json`."""

    joint: bool
    normalization: Normalization
    source: Kind
    target: Kind


@dataclass(frozen=True)
class Tokenizers:
    """A tokenizer for the source and one for the target; the same one if they are joint."""

    source: SentencePiece
    target: SentencePiece
    joint: bool

    @property
    def digest(self) -> str:
        """The SHA-256 digest of both tokenizers; it does not depend on their folder."""
        joined = f"{self.source.digest} {self.target.digest} {self.joint}"
        return hashlib.sha256(joined.encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write the tokenizers' files into an existing folder."""
        description = Description(
            joint=self.joint,
            normalization=self.source.normalization,
            source=self.source.kind,
            target=self.target.kind,
        )
        (folder / DESCRIPTION).write_bytes(encode_json(description.model_dump()))
        if self.joint:
            (folder / JOINT_MODEL).write_bytes(self.source.model)
        else:
            (folder / SOURCE_MODEL).write_bytes(self.source.model)
            (folder / TARGET_MODEL).write_bytes(self.target.model)

    @classmethod
    def verified(cls, folder: Path, kind: str) -> tuple[Manifest, Self]:
        """Verify a folder that holds tokenizers; return its manifest and the tokenizers.

        Raises:
            MissingInputError: the folder does not exist.
            CheckpointError: a file is missing or damaged.
            TokenizerError: the tokenizers are damaged.
        """
        return in_one_generation(folder, lambda: (verify_folder(folder, kind), cls.load(folder)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the tokenizers from a folder, which may come from an untrusted source.

        Raises:
            CheckpointError: a file is missing or its JSON is damaged.
            TokenizerError: the tokenizers are damaged.
        """
        said = _read_description(folder / DESCRIPTION)
        if said.joint:
            joint = load_sentencepiece(folder / JOINT_MODEL, said.source, said.normalization)
            return cls(joint, joint, joint=True)
        return cls(
            load_sentencepiece(folder / SOURCE_MODEL, said.source, said.normalization),
            load_sentencepiece(folder / TARGET_MODEL, said.target, said.normalization),
            joint=False,
        )


def _read_description(path: Path) -> Description:
    try:
        return Description.model_validate(read_json(path), strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        message = f"{path}: {key}: {fault['msg']}, found {fault['input']!r:.80}"
        raise TokenizerError(message) from error
