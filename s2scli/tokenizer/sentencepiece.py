"""A SentencePiece model that turns text into ids and exactly back."""

import functools
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sentencepiece

from s2scli.artifacts import read_artifact
from s2scli.errors import TokenizerError
from s2scli.normalization import Normalization, normalize
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from s2scli.tokenizer.escaping import escape, unescape
from s2scli.tokenizer.resegmentation import CUTS, Pieces, Resegmenter
from s2scli.tokenizer.settings import Kind

SPACE = "\u2581"
MAX_MODEL_BYTES = 64_000_000
MAX_VOCAB_SIZE = 1_000_000
_CONTROL = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True)
class SentencePiece:
    """Text to token ids and back; special ids are neither added nor returned.

    No text becomes a special id, whatever it looks like. Decoding returns the encoded text
    character for character, except for what `canonical` drops and for unknown pieces (shown as ⁇).

    Attributes:
        model: the content of a SentencePiece model file.
        kind: unigram, bpe, char or word.
        normalization: the Unicode normalisation of every text that is encoded: none, nfc or nfkc.
    """

    model: bytes = field(repr=False)
    kind: Kind
    normalization: Normalization

    def __post_init__(self) -> None:
        """Check the model.

        Raises:
            TokenizerError: it is damaged, too large, or not made by s2s.
        """
        _check(self._processor)

    @functools.cached_property
    def _processor(self) -> sentencepiece.SentencePieceProcessor:
        processor = sentencepiece.SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(self.model)
        except RuntimeError as error:
            raise TokenizerError("damaged, not a SentencePiece model") from error
        return processor

    @property
    def vocab_size(self) -> int:
        """The number of pieces, including special ones."""
        return int(self._processor.vocab_size())

    @functools.cached_property
    def vocabulary(self) -> list[str]:
        """All pieces, as `piece` writes them, in the order of their ids."""
        return [self.piece(id) for id in range(self.vocab_size)]

    @functools.cached_property
    def byte_fallback(self) -> bool:
        """Whether characters without a piece are written in bytes."""
        return any(self._processor.is_byte(id) for id in range(self.vocab_size))

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that determines the ids of a text."""
        hashed = hashlib.sha256(f"{self.kind} {self.normalization} ".encode())
        hashed.update(self.model)
        return hashed.hexdigest()

    def canonical(self, text: str) -> str:
        """Return `text` as it is decoded: normalised, without spaces around it.

        With kind word, each run of white space becomes one space.
        """
        text = normalize(text, self.normalization)
        return " ".join(text.split()) if self.kind == "word" else text.strip(" ")

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        ids: list[int] = self._processor.encode(escape(self.canonical(text)))
        return ids

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; faster than one by one."""
        ids: list[list[int]] = self._processor.encode([escape(self.canonical(t)) for t in texts])
        return ids

    def resegmenter(self, alpha: float) -> Resegmenter:
        """Return a function that segments texts again, at random.

        Ids that stand for no characters, such as bytes and the unknown one, are kept. With kinds
        char and word a text has only one segmentation.

        Args:
            alpha: for bpe, the probability that a merge is left out (`BpeDropout`); for unigram,
                the exponent of the probability of a segmentation (`UnigramSampling`).
        """
        ids, processor = range(self.vocab_size), self._processor
        kept = (processor.is_control, processor.is_unknown, processor.is_byte, processor.is_unused)
        spellings = ["" if any(is_kept(id) for is_kept in kept) else self.piece(id) for id in ids]
        pieces = Pieces(spellings, [processor.get_score(id) for id in ids])
        return Resegmenter(pieces, CUTS[self.kind](pieces, alpha))

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of some ids; special ids have no text."""
        text = self._processor.decode(list(map(int, ids)))
        return unescape(text.replace(SPACE, " ")).strip(" ")

    def pieces(self, text: str) -> list[str]:
        """Return the pieces of a text, as `piece` writes them."""
        return [self.piece(id) for id in self.encode(text)]

    def piece(self, id: int) -> str:
        """Return the text of a piece: ▁ is a space; it holds no control character."""
        return str(self._processor.id_to_piece(id))


def load_sentencepiece(path: Path, kind: Kind, normalization: Normalization) -> SentencePiece:
    """Read a model that may come from anywhere.

    Raises:
        CheckpointError: there is no such regular file, or it is too large.
        TokenizerError: it is damaged, or not made by s2s.
    """
    content = read_artifact(path, MAX_MODEL_BYTES)
    try:
        return SentencePiece(content, kind, normalization)
    except TokenizerError as error:
        raise TokenizerError(f"{path}: {error}") from error


def _check(processor: sentencepiece.SentencePieceProcessor) -> None:
    found = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
    expected = (PAD_ID, UNK_ID, BOS_ID, EOS_ID)
    if found != expected:
        raise TokenizerError(
            f"expected the ids {expected} for pad, unk, bos and eos, found {found}; "
            "s2s uses only tokenizers that it has learned itself"
        )
    size = processor.vocab_size()
    if size > MAX_VOCAB_SIZE:
        raise TokenizerError(f"{size} pieces are too many (limit {MAX_VOCAB_SIZE})")
    for id in range(size):
        if _CONTROL.search(processor.id_to_piece(id)):
            raise TokenizerError(f"piece {id} holds a control character")
