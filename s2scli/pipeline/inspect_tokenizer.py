"""`s2s inspect tokenizer`: show how a tokenizer splits a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2scli.errors import CheckpointError, MissingInputError, UsageError
from s2scli.special_ids import UNK_ID
from s2scli.tokenizer.pictures import PictureTokenizer
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.workspace import Workspace


@dataclass(frozen=True)
class TokenizedText:
    """A text and its tokens.

    Attributes:
        text: the input text.
        pieces: its pieces; ▁ is a space.
        ids: the ids of the pieces.
        decoded: the text decoded from the ids.
        unknown: the number of unknown pieces.
        exact: whether `decoded` equals the normalized text without surrounding spaces.
    """

    text: str
    pieces: tuple[str, ...]
    ids: tuple[int, ...]
    decoded: str
    unknown: int
    exact: bool


def load_tokenizers(workspace: Workspace, model: Path | None) -> Tokenizers:
    """Load the tokenizers of a model folder, or of the workspace if `model` is None.

    Raises:
        MissingInputError: there is no model or no tokenizer.
        CheckpointError: a file of the folder is missing or damaged.
        TokenizerError: the tokenizers are damaged.
    """
    if model is not None:
        return Tokenizers.verified(workspace.find_model(model), "model")[1]
    if not workspace.tokenizer.exists():
        way = workspace.command("train-tokenizer")
        raise MissingInputError(f"{workspace.root}: no tokenizer here; make one: {way}")
    try:
        return Tokenizers.verified(workspace.tokenizer, "tokenizer")[1]
    except CheckpointError as error:
        raise CheckpointError(f"{error}; make it again with `s2s train-tokenizer`") from error


def choose_tokenizer(
    tokenizers: Tokenizers, texts: Sequence[str], *, target: bool
) -> SentencePiece | PictureTokenizer:
    """Return the tokenizer of a side.

    Without `target`, it is the source's, or the target's if that one is for pictures and all texts
    are files.

    Raises:
        UsageError: the source has no tokenizer.
    """
    pictures = not isinstance(tokenizers.target, SentencePiece)
    if target or (pictures and all(Path(text).is_file() for text in texts)):
        return tokenizers.target
    if isinstance(tokenizers.source, SentencePiece):
        return tokenizers.source
    raise UsageError(
        f"the source is {tokenizers.source.kind} and has no tokenizer; --target uses the target's"
    )


def tokenize(tokenizer: SentencePiece, text: str) -> TokenizedText:
    """Split a text into pieces and decode them back into text."""
    ids = tokenizer.encode(text)
    decoded = tokenizer.decode(ids)
    return TokenizedText(
        text=text,
        pieces=tuple(tokenizer.piece(id) for id in ids),
        ids=tuple(ids),
        decoded=decoded,
        unknown=ids.count(UNK_ID),
        exact=decoded == tokenizer.canonical(text),
    )
