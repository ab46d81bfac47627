"""A model of another program, with our names of weights, and our ids of tokens."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from s2scli.artifacts import read_artifact
from s2scli.errors import CheckpointError, MissingInputError, TokenizerError
from s2scli.export.unpack import FACTS, SECONDS, TENSORS, Unpacked
from s2scli.model.frontend.tokens import TABLE
from s2scli.model.weights import read_tensors
from s2scli.settings import Tree
from s2scli.tokenizer.adopted import Adopted, Vocabulary, adopt
from s2scli.tokenizer.sentencepiece import MAX_MODEL_BYTES
from s2scli.tokenizer.tokenizers import Tokenizers

NEVER = -1e4  # the logit of a token that the other model never writes
READER = "s2scli.export.unpack"


@dataclass(frozen=True)
class TokenizerFiles:
    """The tokenizer files of a checkpoint, where its folder does not have them.

    Attributes:
        source_spm: the SentencePiece model of the source, or of both sides.
        target_spm: the SentencePiece model of the target; None is that of the source.
        source_vocab: the vocabulary of the source, or of both sides.
        target_vocab: the vocabulary of the target; None is that of the source.
    """

    source_spm: Path | None = None
    target_spm: Path | None = None
    source_vocab: Path | None = None
    target_vocab: Path | None = None


@dataclass(frozen=True)
class Foreign:
    """A model of another program.

    Attributes:
        program: the program, as shown to users.
        model: the settings of the model, as a tree.
        search: the settings of the search, as a tree.
        max_length: the maximum source length, in tokens.
        weights: the weights under our names, tied ones under each of their names.
        tokenizers: the tokenizers, with our ids.
    """

    program: str
    model: Tree
    search: Tree
    max_length: int
    weights: Mapping[str, Tensor] = field(repr=False)
    tokenizers: Tokenizers


@dataclass(frozen=True)
class Tables:
    """The weights of another program with a row for each token of its vocabularies.

    Attributes:
        source: the embeddings of the source, [Vs, D].
        target: the embeddings of the target, [Vt, D].
        output: the weight of the output layer, [Vt, D]; the target's embeddings if they are tied.
        bias: the bias of the output layer, [Vt].
    """

    source: Tensor
    target: Tensor
    output: Tensor
    bias: Tensor

    def weights(self, source: Adopted, target: Adopted) -> dict[str, Tensor]:
        """Return the rows in the order of our ids, under our names."""
        bias = self.bias[target.rows].clone()
        bias[list(target.unwritten)] = NEVER
        written = self.target[target.rows]
        is_tied = self.output is self.target
        return {
            f"source.{TABLE}": self.source[source.rows],
            f"target.{TABLE}": written,
            "output.weight": written if is_tied else self.output[target.rows],
            "output.bias": bias,
        }

    def tie(self, *, joint: bool) -> str:
        """Return the value of `model.tie_embeddings`."""
        if self.output is not self.target:
            return "none"
        return "all" if joint and self.source is self.target else "target"


def read_checkpoint(path: Path) -> Unpacked:
    """Read the tensors of a checkpoint in a process of its own.

    Raises:
        MissingInputError: the file does not exist.
        CheckpointError: the file is damaged, holds code, or needs too much memory or time.
    """
    if not path.is_file():
        raise MissingInputError(f"{path}: no such file")
    with tempfile.TemporaryDirectory(prefix="s2s-") as folder:
        # -P: nothing is imported from the current folder, which may be that of the checkpoint
        command = [sys.executable, "-P", "-X", "utf8", "-m", READER, str(path.resolve()), folder]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
                env=_with_this_package(),
            )
        except subprocess.TimeoutExpired as error:
            raise CheckpointError(
                f"{path}: reading it takes more than {SECONDS} seconds"
            ) from error
        if done.returncode:
            why = done.stderr.strip().splitlines()[-1:] or ["it needs too much memory or time"]
            known = why[0].startswith(str(path.resolve()))
            raise CheckpointError(why[0] if known else f"{path}: cannot be read ({why[0]:.200})")
        facts = json.loads((Path(folder) / FACTS).read_text(encoding="utf-8"))
        return Unpacked(read_tensors(Path(folder) / TENSORS), facts)


def _with_this_package() -> dict[str, str]:
    """Return the environment, with the folder that this package was imported from."""
    package = str(Path(__file__).parents[2])
    paths = [path for path in (os.environ.get("PYTHONPATH"), package) if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def float32(tensors: Mapping[str, Tensor], name: str, where: Path) -> Tensor:
    """Return a tensor in float32.

    Raises:
        CheckpointError: there is no such tensor.
    """
    if name not in tensors:
        raise CheckpointError(f"{where}: has no tensor {name}; expected one of a Transformer")
    return tensors[name].float()


def adopt_tokenizers(
    spms: Sequence[Path], vocabularies: Sequence[Vocabulary]
) -> tuple[Tokenizers, Adopted, Adopted]:
    """Return the tokenizers of both sides with our ids; a joint one if both sides are the same.

    Args:
        spms: the SentencePiece models of source and target.
        vocabularies: the vocabularies of source and target.

    Raises:
        CheckpointError: a file is missing.
        TokenizerError: a model is damaged, or of an unknown kind.
    """
    source, target = (
        _adopted(path, vocabulary, writes=writes)
        for path, vocabulary, writes in zip(spms, vocabularies, (False, True), strict=True)
    )
    joint = source.tokenizer == target.tokenizer
    if joint:
        target = source
    return Tokenizers(source.tokenizer, target.tokenizer, joint=joint), source, target


def _adopted(path: Path, vocabulary: Vocabulary, *, writes: bool) -> Adopted:
    try:
        return adopt(read_artifact(path, MAX_MODEL_BYTES), vocabulary, writes=writes)
    except TokenizerError as error:
        raise TokenizerError(f"{path}: {error}") from error


def check_rows(table: Tensor, vocabulary: Sequence[str], where: Path) -> None:
    """Check that a table has a row for each piece.

    Raises:
        CheckpointError: it has not.
    """
    if table.dim() != 2 or len(table) != len(vocabulary):
        raise CheckpointError(
            f"{where}: its embeddings have the shape {tuple(table.shape)}, and the vocabulary has "
            f"{len(vocabulary):,} pieces"
        )


def join(
    parts: Mapping[str, Sequence[str]], tensors: Mapping[str, Tensor], where: Path
) -> dict[str, Tensor]:
    """Return weights under our names, each the concatenation of theirs, in float32.

    Raises:
        CheckpointError: a tensor is missing, or the parts do not fit together.
    """
    found = {}
    for ours, theirs in parts.items():
        pieces = [float32(tensors, name, where) for name in theirs]
        try:
            found[ours] = torch.cat(pieces)
        except RuntimeError as error:
            raise CheckpointError(
                f"{where}: {theirs[0]} has another width than its like"
            ) from error
    return found
