"""A SentencePiece model, which turns text into token ids and back."""

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sentencepiece

from s2scli.artifacts import read_artifact
from s2scli.errors import TokenizerError
from s2scli.normalization import Normalization, normalize
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from s2scli.tags import divide_tag, tag_of
from s2scli.tokenizer.escaping import escape, unescape
from s2scli.tokenizer.resegmentation import CUTS, Pieces, Resegmenter
from s2scli.tokenizer.settings import Kind

SPACE = "\u2581"
SPACE_BYTES = [f"<0x{byte:02X}>" for byte in SPACE.encode()]  # where no piece has a space
ALL = -1  # threads: one for each core
ANCHORS = "0(.-"  # characters that seldom share a piece with what follows them
MAX_MODEL_BYTES = 64_000_000
MAX_VOCAB_SIZE = 1_000_000
BYTE = re.compile("<0x([0-9A-F]{2})>")
Span = tuple[int, int]
_CONTROL = re.compile(r"[\x00-\x1f]")
_WORD, _CHARACTER = re.compile(f"{SPACE}?[^{SPACE}]+"), re.compile(".", re.DOTALL)


@dataclass(frozen=True)
class SentencePiece:
    """A tokenizer that turns text into token ids and back.

    Special ids are not added, and no text is encoded as a special id. Decoding returns the encoded
    text exactly, except for what `canonical` changes and for unknown pieces, which become ⁇.

    Attributes:
        model: the content of a SentencePiece model file.
        kind: unigram, bpe, char or word.
        normalization: the Unicode normalisation applied before encoding: none, nfc or nfkc.
        reverse: whether the last token of a text comes first.
        ends: whether the model reads an end token after a source.
    """

    model: bytes = field(repr=False)
    kind: Kind
    normalization: Normalization
    reverse: bool = False
    ends: bool = True

    def __post_init__(self) -> None:
        """Check the model.

        Raises:
            TokenizerError: the model is damaged, too large, or not made by s2s.
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
        """All pieces, spelled as by `piece`, in the order of their ids."""
        return [self.piece(id) for id in range(self.vocab_size)]

    @functools.cached_property
    def byte_fallback(self) -> bool:
        """Whether characters outside the vocabulary are written as bytes."""
        return any(self._processor.is_byte(id) for id in range(self.vocab_size))

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 digest of everything that determines the ids of a text."""
        hashed = hashlib.sha256(f"{self.kind} {self.normalization} ".encode())
        hashed.update(self.model)
        if self.reverse:
            hashed.update(b" reverse")
        if not self.ends:
            hashed.update(b" endless")
        return hashed.hexdigest()

    def canonical(self, text: str) -> str:
        """Return `text` as decoding returns it: normalised, without leading or trailing spaces.

        With kind word, each run of white space becomes one space.
        """
        text = normalize(text, self.normalization)
        return " ".join(text.split()) if self.kind == "word" else text.strip(" ")

    @functools.cached_property
    def tags(self) -> Mapping[str, int]:
        """The tags that can stand in front of a text, with their ids."""
        ids = (id for id in range(self.vocab_size) if self._processor.is_control(id))
        return {tag: id for id in ids if (tag := tag_of(self.piece(id)))}

    def _divided(self, text: str) -> tuple[list[int], str]:
        """Return the id of the tag in front of a text, if there is one, and the text after it."""
        tag, rest = divide_tag(text, self.tags)
        return [self.tags[tag]] if tag else [], rest

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; a tag in front of it has one id."""
        tag, rest = self._divided(text)
        ids: list[int] = tag + self._processor.encode(escape(self.canonical(rest)))
        return ids[::-1] if self.reverse else ids

    def encode_many(self, texts: Sequence[str], threads: int = ALL) -> list[list[int]]:
        """Return the ids of each text; faster than encoding one by one.

        Args:
            texts: the texts.
            threads: the number of threads; by default one for each core.
        """
        if not self.tags:
            ids = self._ids_of(texts, threads)
        else:
            divided = [self._divided(text) for text in texts]
            found = self._ids_of([rest for _, rest in divided], threads)
            ids = [tag + row for (tag, _), row in zip(divided, found, strict=True)]
        return [row[::-1] for row in ids] if self.reverse else ids

    def _ids_of(self, texts: Iterable[str], threads: int) -> list[list[int]]:
        """Return the ids of texts without tags, in reading order."""
        canonical = self.canonical
        escaped = [escape(canonical(text)) for text in texts]
        ids: list[list[int]] = self._processor.encode(escaped, num_threads=threads)
        return ids

    def spelled(self, text: str) -> list[tuple[int, str]]:
        """Return the ids of a text, each with its piece as the text spells it.

        A run of unknown pieces, which `encode` gives one id, is taken apart: into words for kind
        word, and into characters for other kinds.
        """
        tag, text = self._divided(text)
        found = [(id, self.piece(id)) for id in tag]
        found += self._apart(escape(self.canonical(text)))
        return found[::-1] if self.reverse else found

    def _apart(self, escaped: str) -> list[tuple[int, str]]:
        """Return the ids of an escaped text with their pieces; unknown runs are taken apart."""
        ids, pieces = self._processor.encode(escaped), self._processor.encode_as_pieces(escaped)
        apart = _WORD if self.kind == "word" else _CHARACTER
        return [
            (id, part)
            for id, piece in zip(ids, pieces, strict=True)
            for part in (apart.findall(piece) if id == UNK_ID else (piece,))
        ]

    def join(self, pieces: Sequence[str]) -> str:
        """Return the text of pieces in reading order; some may be outside the vocabulary."""
        text = self._processor.decode_pieces(list(pieces))
        return unescape(text.replace(SPACE, " ")).strip(" ")

    def spans(self, text: str, *, apart: bool = False) -> tuple[str, list[Span]]:
        """Return the characters of a text, and those that each of its pieces covers.

        The characters are those of the escaped `canonical` text without spaces. A span is the index
        of the first one and that after the last. A piece that is only a space covers none. The
        bytes of a character cover it together, those of a space none. A tag covers none.

        Args:
            text: the text.
            apart: whether runs of unknown pieces are taken apart, as `spelled` does.
        """
        tag, text = self._divided(text)
        escaped = escape(self.canonical(text))
        pieces: list[str] = (
            [piece for _, piece in self._apart(escaped)]
            if apart
            else self._processor.encode(escaped, out_type=str)  # unknown ones as written
        )
        spans, end = [(0, 0) for _ in tag], 0
        for at, piece in enumerate(pieces):
            byte = BYTE.fullmatch(piece)
            if byte and int(byte[1], 16) & 0xC0 == 0x80:  # a byte that continues a character
                spans.append(spans[-1])
                continue
            size = len(piece.replace(SPACE, "").replace(" ", ""))
            if byte:
                size = 0 if pieces[at : at + len(SPACE_BYTES)] == SPACE_BYTES else 1
            start, end = end, end + size
            spans.append((start, end))
        return "".join(escaped.split(" ")), spans

    def resegmenter(self, alpha: float) -> Resegmenter:
        """Return a function that resegments texts at random.

        Special ids, bytes and the unknown id are kept. With kinds char and word, a text has only
        one segmentation.

        Args:
            alpha: for bpe, the probability of skipping a merge (`BpeDropout`); for unigram, the
                exponent of the probability of a segmentation (`UnigramSampling`).
        """
        ids, processor = range(self.vocab_size), self._processor
        kept = (processor.is_control, processor.is_unknown, processor.is_byte, processor.is_unused)
        spellings = ["" if any(is_kept(id) for is_kept in kept) else self.piece(id) for id in ids]
        pieces = Pieces(spellings, [processor.get_score(id) for id in ids])
        return Resegmenter(pieces, CUTS[self.kind](pieces, alpha), reverse=self.reverse)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of token ids; special ids have no text."""
        order = list(map(int, ids))
        text = self._processor.decode(order[::-1] if self.reverse else order)
        return unescape(text.replace(SPACE, " ")).strip(" ")

    def decode_with(self, ids: Sequence[int], replaced: Mapping[int, str]) -> str:
        """Return the text of token ids, with other texts for the tokens at some indices.

        Args:
            ids: the ids, those that are read first first.
            replaced: the other texts, by the index of their token.
        """
        pieces = self._processor.decode(list(map(int, ids)), return_type="proto").pieces
        parts = [replaced.get(at, unescape(piece.surface)) for at, piece in enumerate(pieces)]
        return "".join(parts).replace(SPACE, " ").strip(" ")

    def surfaces(self, text: str) -> list[str]:
        """Return the text that each token of a text stands for, in reading order; "" for a tag."""
        tag, text = self._divided(text)
        escaped = escape(self.canonical(text))
        pieces = self._processor.encode(escaped, return_type="proto").pieces
        return [""] * len(tag) + [unescape(one.surface).replace(SPACE, " ") for one in pieces]

    @functools.cached_property
    def spellings(self) -> tuple[bytes, ...]:
        """The UTF-8 text that each piece writes, with a space for ▁; special ids write nothing.

        Pieces of a single byte may spell ▁, too.
        """
        processor = self._processor
        return tuple(
            bytes([int(self.piece(id)[1:-1], 16)])
            if processor.is_byte(id)
            else b""
            if processor.is_control(id)
            else "⁇".encode()
            if processor.is_unknown(id)
            else unescape(self.piece(id).replace(SPACE, " ")).encode()
            for id in range(self.vocab_size)
        )

    def spell(self, text: str, *, spaced: bool) -> list[int] | None:
        """Return the ids that write a text inside another; None if the vocabulary cannot write it.

        Args:
            text: the text, as by `canonical`.
            spaced: whether it begins with a space.
        """
        written = f" {text}" if spaced else text
        if spaced and self.kind != "char":  # the other kinds add the space themselves
            return self._writing(self._processor.encode(escape(text)), written)
        if self.kind == "char":
            return self._writing(self._processor.encode(escape(written)), written)
        found = (self._after(anchor, text) for anchor in ANCHORS)
        return next((ids for ids in found if ids), None)

    def _after(self, anchor: str, text: str) -> list[int] | None:
        """Return the ids of a text after another character; None if they share a piece."""
        alone = self._processor.encode(anchor)
        ids: list[int] = self._processor.encode(anchor + escape(text))
        if ids[: len(alone)] != alone:
            return None
        return self._writing(ids[len(alone) :], text)

    def _writing(self, ids: list[int], text: str) -> list[int] | None:
        """Return the ids if they write exactly this text."""
        written = b"".join(self.spellings[id] for id in ids).replace(SPACE.encode(), b" ")
        return ids if written == text.encode() and UNK_ID not in ids else None

    def pieces(self, text: str) -> list[str]:
        """Return the pieces of a text, spelled as by `piece`."""
        return [self.piece(id) for id in self.encode(text)]

    def piece(self, id: int) -> str:
        """Return the spelling of a piece, where ▁ is a space; it has no control characters."""
        return str(self._processor.id_to_piece(id))


def load_sentencepiece(path: Path, kind: Kind, normalization: Normalization) -> SentencePiece:
    """Read and check a model file, which may come from an untrusted source.

    Raises:
        CheckpointError: the file does not exist, is not a regular file, or is too large.
        TokenizerError: the model is damaged or not made by s2s.
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
            "s2s uses only tokenizers that it trained itself"
        )
    size = processor.vocab_size()
    if size > MAX_VOCAB_SIZE:
        raise TokenizerError(f"{size} pieces are too many (limit {MAX_VOCAB_SIZE})")
    for id in range(size):
        if _CONTROL.search(processor.id_to_piece(id)):
            raise TokenizerError(f"piece {id} holds a control character")
