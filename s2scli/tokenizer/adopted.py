"""Adopt a SentencePiece model of another program, whose ids are those of another vocabulary.

Our tokenizers have the ids of `special_ids`, and a piece for each id. Other programs number pieces
by a vocabulary file, which lacks some pieces of the SentencePiece model and has others. So the
list of pieces is written anew: the text is cut into the same pieces as before, and each id of the
other vocabulary has one of ours.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from s2scli.errors import TokenizerError
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from s2scli.tokenizer.sentencepiece import MAX_VOCAB_SIZE, SPACE, SentencePiece
from s2scli.tokenizer.settings import Kind

# Types of pieces and kinds of models in sentencepiece_model.proto
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
KINDS: Mapping[int, Kind] = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
PIECES, TRAINER, SELF_TEST = 1, 2, 4  # fields of ModelProto
MODEL_TYPE = 3  # a field of TrainerSpec
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
SPECIAL = {PAD_ID: "<pad>", UNK_ID: "<unk>", BOS_ID: "<s>", EOS_ID: "</s>"}
ID_FIELDS = {UNK_ID: 40, BOS_ID: 41, EOS_ID: 42, PAD_ID: 43}
PIECE_FIELDS = {UNK_ID: 45, BOS_ID: 46, EOS_ID: 47, PAD_ID: 48}


@dataclass(frozen=True)
class Vocabulary:
    """The vocabulary of another program.

    Attributes:
        pieces: all pieces, in the order of their ids.
        pad: the id of the padding token.
        unk: the id of the unknown token.
        start: the id that the decoder reads first; may be that of the padding token.
        end: the id of the end token.
    """

    pieces: Sequence[str] = field(repr=False)
    pad: int
    unk: int
    start: int
    end: int

    def __post_init__(self) -> None:
        """Check the ids.

        Raises:
            TokenizerError: an id is outside the vocabulary, or two pieces are the same.
        """
        if len(self.pieces) > MAX_VOCAB_SIZE:
            raise TokenizerError(f"{len(self.pieces):,} pieces are too many ({MAX_VOCAB_SIZE:,})")
        for name, id in (("pad", self.pad), ("unk", self.unk), ("end", self.end)):
            if not 0 <= id < len(self.pieces):
                raise TokenizerError(
                    f"the {name} token has id {id}, and there are {len(self.pieces):,} pieces"
                )
        if not 0 <= self.start < len(self.pieces):
            raise TokenizerError(
                f"the start token has id {self.start}, and there are {len(self.pieces):,} pieces"
            )
        if len(set(self.pieces)) < len(self.pieces):
            raise TokenizerError("a piece appears twice in the vocabulary")


@dataclass(frozen=True)
class Adopted:
    """A tokenizer with our ids.

    Attributes:
        tokenizer: the tokenizer.
        rows: for each of our ids, the id of the other vocabulary whose weights it has.
        unwritten: our ids that the other model never writes: pieces that its vocabulary lacks,
            and the begin token if it has none.
    """

    tokenizer: SentencePiece
    rows: Sequence[int] = field(repr=False)
    unwritten: Sequence[int] = field(repr=False)


@dataclass(frozen=True)
class _Piece:
    spelling: str
    score: float = 0.0
    type: int = UNUSED

    def encoded(self) -> bytes:
        content = (
            _field(1, self.spelling.encode())
            + _tag(2, FIXED32)
            + struct.pack("<f", self.score)
            + _number(3, self.type)
        )
        return _field(PIECES, content)


def adopt(model: bytes, vocabulary: Vocabulary, *, writes: bool) -> Adopted:
    """Return a tokenizer that cuts texts as a SentencePiece model does, with our ids.

    A piece that the vocabulary lacks has the weights of the unknown token, as in the other program.
    As such a piece cannot be written, a target is cut into smaller pieces instead; but a byte, the
    smallest piece, stays, as SentencePiece needs all bytes or none. A piece such as `>>fra<<`,
    which only the vocabulary has, names the target language; it is read at the beginning of a text.

    Args:
        model: the content of a SentencePiece model file.
        vocabulary: the vocabulary that numbers its pieces.
        writes: whether the tokenizer is that of targets.

    Raises:
        TokenizerError: the model is damaged, or of an unknown kind.
    """
    own = {piece.spelling: piece for piece in _pieces(model)}
    known = set(vocabulary.pieces)
    special = {vocabulary.pad, vocabulary.unk, vocabulary.start, vocabulary.end}
    rows = [vocabulary.pad, vocabulary.unk, vocabulary.start, vocabulary.end]
    pieces = [
        _Piece(SPECIAL[id], 0.0, UNKNOWN if id == UNK_ID else CONTROL) for id in range(len(SPECIAL))
    ]
    for id, spelling in enumerate(vocabulary.pieces):
        if id not in special:
            rows.append(id)
            pieces.append(_numbered(own.get(spelling), spelling, id))
    for piece in own.values():
        if piece.spelling not in known and piece.type not in (UNKNOWN, CONTROL):
            rows.append(vocabulary.unk)
            is_cut = writes and piece.type != BYTE
            pieces.append(replace(piece, type=UNUSED) if is_cut else piece)
    unwritten = range(len(vocabulary.pieces) + len(SPECIAL) - len(special), len(pieces))
    shared = vocabulary.start in (vocabulary.pad, vocabulary.unk, vocabulary.end)
    begins = (BOS_ID,) if shared else ()  # or that token would count twice
    tokenizer = SentencePiece(_rewritten(model, pieces), _kind(model), "none")
    return Adopted(tokenizer, rows, (*begins, *unwritten))


def pieces_of(model: bytes) -> list[str]:
    """Return the pieces of a SentencePiece model, in the order of their ids.

    Raises:
        TokenizerError: the model is damaged.
    """
    return [piece.spelling for piece in _pieces(model)]


def _numbered(own: _Piece | None, spelling: str, id: int) -> _Piece:
    """Return the piece of an id of the vocabulary; `own` is that of the SentencePiece model."""
    if spelling in SPECIAL.values():
        return _Piece(f"{spelling}#{id}")  # an unused one, as ours has this name
    if own is not None and own.type not in (UNKNOWN, CONTROL):
        return own
    if spelling.startswith(">>") and spelling.endswith("<<"):
        return _Piece(SPACE + spelling, 0.0, USER_DEFINED)
    return _Piece(spelling)


def _pieces(model: bytes) -> Iterator[_Piece]:
    """Yield the pieces of a model."""
    for number, content in _fields(model):
        if number != PIECES or not isinstance(content, bytes):
            continue
        values = dict(_fields(content))
        spelling, score, type = values.get(1), values.get(2, 0.0), values.get(3, NORMAL)
        if not isinstance(spelling, bytes) or isinstance(score, bytes) or isinstance(type, bytes):
            raise TokenizerError("damaged, not a SentencePiece model")
        try:
            yield _Piece(spelling.decode(), float(score), int(type))
        except UnicodeDecodeError as error:
            raise TokenizerError("damaged, a piece is not UTF-8") from error


def _kind(model: bytes) -> Kind:
    """Return the kind of a model; that of a model that does not say is unigram."""
    type: object = 1
    for number, content in _fields(model):
        if number == TRAINER and isinstance(content, bytes):
            type = dict(_fields(content)).get(MODEL_TYPE, type)
    if type not in KINDS:
        raise TokenizerError(f"unknown kind of SentencePiece model ({type!s:.20})")
    return KINDS[int(str(type))]


def _rewritten(model: bytes, pieces: Sequence[_Piece]) -> bytes:
    """Return the model with other pieces and our ids; parsers join the parts of a message."""
    kept = [
        _field(number, content)
        for number, content in _fields(model)
        if number not in (PIECES, SELF_TEST) and isinstance(content, bytes)
    ]
    ids = [_number(ID_FIELDS[id], id) for id in SPECIAL]
    names = [_field(PIECE_FIELDS[id], name.encode()) for id, name in SPECIAL.items()]
    trainer = _field(TRAINER, b"".join([*ids, *names]))
    return b"".join([*(piece.encoded() for piece in pieces), *kept, trainer])


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int | float]]:
    """Yield the fields of a protobuf message: number, and content.

    Raises:
        TokenizerError: it is not a message.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        size = {FIXED32: 4, FIXED64: 8}.get(wire)
        if wire == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == BYTES:
            size, at = _varint(message, at)
        if size is None or at + size > len(message):
            raise TokenizerError("damaged, not a SentencePiece model")
        content, at = message[at : at + size], at + size
        yield number, struct.unpack("<f", content)[0] if wire == FIXED32 else content


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number at an index, and the index after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte, at = message[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise TokenizerError("damaged, not a SentencePiece model")


def _encoded(value: int) -> bytes:
    """Return a number as a varint."""
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _tag(number: int, wire: int) -> bytes:
    return _encoded(number << 3 | wire)


def _number(number: int, value: int) -> bytes:
    return _tag(number, VARINT) + _encoded(value)


def _field(number: int, content: bytes) -> bytes:
    return _tag(number, BYTES) + _encoded(len(content)) + content
