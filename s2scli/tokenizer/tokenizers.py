"""What a model reads and writes: the tokenizers of its two sides, or sound and pictures."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Self, TypeAlias

from pydantic import Field, ValidationError, model_validator

from s2scli.artifacts import read_json
from s2scli.errors import TokenizerError, UsageError
from s2scli.manifest import Manifest, encode_json, in_one_generation, verify_folder
from s2scli.normalization import Normalization
from s2scli.settings import Settings
from s2scli.sides import Input, Media, Picture, Sides, Sound
from s2scli.tokenizer.pictures import Bits, Codebook, Patches, PictureTokenizer, load_codebook
from s2scli.tokenizer.sentencepiece import SentencePiece, load_sentencepiece
from s2scli.tokenizer.settings import Kind

DESCRIPTION = "tokenizer.json"
SOURCE_MODEL, TARGET_MODEL, JOINT_MODEL = "source.model", "target.model", "joint.model"
CODEBOOK = "target.safetensors"

Source: TypeAlias = SentencePiece | Sound | Picture
Target: TypeAlias = SentencePiece | PictureTokenizer


class Description(Settings):
    """The content of `tokenizer.json`; `reads` and `writes` are for sides that are not text.

    `right_to_left` says that the last token of a target comes first, and `source_end` that an end
    token follows each source.
    """

    joint: bool
    normalization: Normalization
    source: Kind | None = None
    target: Kind | None = None
    reads: Media | None = None
    writes: Annotated[Bits | Patches, Field(discriminator="kind")] | None = None
    right_to_left: bool = False
    source_end: bool = True

    @model_validator(mode="after")
    def _check_sides(self) -> Self:
        if (self.source is None) != (self.reads is not None):
            raise ValueError("expected either source (for text) or reads")
        if (self.target is None) != (self.writes is not None):
            raise ValueError("expected either target (for text) or writes")
        if self.joint and self.source != self.target:
            raise ValueError("a joint tokenizer must be of the same kind on both sides")
        return self


@dataclass(frozen=True)
class Tokenizers:
    """A tokenizer for the source and one for the target; the same one if they are joint.

    For sound or pictures, `source` is their format instead.
    """

    source: Source
    target: Target
    joint: bool

    @property
    def reads(self) -> Input:
        """What the model reads: the size of the source vocabulary, or the format of its files."""
        return self.source.vocab_size if isinstance(self.source, SentencePiece) else self.source

    @property
    def texts(self) -> tuple[SentencePiece, SentencePiece]:
        """The tokenizers of two sides of text.

        Raises:
            UsageError: a side is not text.
        """
        if isinstance(self.source, SentencePiece) and isinstance(self.target, SentencePiece):
            return self.source, self.target
        raise UsageError(f"this is for models from text to text, and {self.described} is not one")

    @property
    def described(self) -> str:
        """What the model reads and writes, for messages."""
        source, target = self.sides.source, self.sides.target
        return f"{source.kind if source else 'text'} to {target.kind if target else 'text'}"

    @property
    def vocab_sizes(self) -> dict[str, int]:
        """The vocabulary size of each side that has tokens, or one size named `joint`."""
        target = self.target.vocab_size
        if not isinstance(self.source, SentencePiece):
            return {"target": target}
        return (
            {"joint": target}
            if self.joint
            else {"source": self.source.vocab_size, "target": target}
        )

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that can stand in front of a source."""
        return tuple(self.source.tags) if isinstance(self.source, SentencePiece) else ()

    @property
    def sides(self) -> Sides:
        """What both sides are: text, sound or pictures."""
        source = None if isinstance(self.source, SentencePiece) else self.source
        target = None if isinstance(self.target, SentencePiece) else self.target.picture
        return Sides(source, target)

    @property
    def digest(self) -> str:
        """The SHA-256 digest of both tokenizers; it does not depend on their folder."""
        source = self.source.digest if isinstance(self.source, SentencePiece) else str(self.source)
        joined = f"{source} {self.target.digest} {self.joint}"
        return hashlib.sha256(joined.encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write the tokenizers' files into an existing folder."""
        texts = [side for side in (self.source, self.target) if isinstance(side, SentencePiece)]
        description = Description(
            joint=self.joint,
            normalization=texts[0].normalization if texts else "none",
            source=self.source.kind if isinstance(self.source, SentencePiece) else None,
            target=self.target.kind if isinstance(self.target, SentencePiece) else None,
            reads=self.sides.source,
            writes=_description(self.target),
            right_to_left=isinstance(self.target, SentencePiece) and self.target.reverse,
            source_end=not isinstance(self.source, SentencePiece) or self.source.ends,
        )
        plain = {
            "right_to_left": description.right_to_left,
            "source_end": not description.source_end,
        }
        usual = {name for name, is_odd in plain.items() if not is_odd}
        tree = description.model_dump(mode="json", exclude=usual).items()
        said = {name: value for name, value in tree if value is not None}
        (folder / DESCRIPTION).write_bytes(encode_json(said))
        if self.joint:
            (folder / JOINT_MODEL).write_bytes(texts[0].model)
            return
        if isinstance(self.source, SentencePiece):
            (folder / SOURCE_MODEL).write_bytes(self.source.model)
        if isinstance(self.target, SentencePiece):
            (folder / TARGET_MODEL).write_bytes(self.target.model)
        elif isinstance(self.target, Codebook):
            (folder / CODEBOOK).write_bytes(self.target.content)

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
        if said.joint and said.source:
            joint = load_sentencepiece(folder / JOINT_MODEL, said.source, said.normalization)
            return cls(_ended(joint, said), _directed(joint, said), joint=True)
        return cls(_load_source(folder, said), _load_target(folder, said), joint=False)


def read_sides(folder: Path) -> Sides:
    """Return what both sides of a model are, without loading its tokenizers.

    Raises:
        MissingInputError: the folder does not exist.
        CheckpointError: a file is missing or its JSON is damaged.
        TokenizerError: the description is damaged.
    """
    said = _read_description(folder / DESCRIPTION)
    shape = said.writes
    if isinstance(shape, Patches):
        return Sides(said.reads, Picture(shape.height, shape.width, shape.channels))
    return Sides(said.reads, shape.picture if shape else None)


def _description(target: Target) -> Bits | Patches | None:
    """Return the description of a picture tokenizer; None for text."""
    if isinstance(target, SentencePiece):
        return None
    return target.patches if isinstance(target, Codebook) else target


def _load_source(folder: Path, said: Description) -> Source:
    if said.source:
        source = load_sentencepiece(folder / SOURCE_MODEL, said.source, said.normalization)
        return _ended(source, said)
    assert said.reads, "the description was validated"
    return said.reads


def _load_target(folder: Path, said: Description) -> Target:
    if said.target:
        target = load_sentencepiece(folder / TARGET_MODEL, said.target, said.normalization)
        return _directed(target, said)
    assert said.writes, "the description was validated"
    if isinstance(said.writes, Patches):
        return load_codebook(folder / CODEBOOK, said.writes)
    return said.writes


def _ended(source: SentencePiece, said: Description) -> SentencePiece:
    """Return the tokenizer of the source, with end tokens if the description says so."""
    return source if said.source_end else replace(source, ends=False)


def _directed(target: SentencePiece, said: Description) -> SentencePiece:
    """Return the tokenizer of the target in the direction that the description says."""
    return replace(target, reverse=True) if said.right_to_left else target


def _read_description(path: Path) -> Description:
    try:
        return Description.model_validate_json(json.dumps(read_json(path)), strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        message = f"{path}: {key}: {fault['msg']}, found {fault['input']!r:.80}"
        raise TokenizerError(message) from error
