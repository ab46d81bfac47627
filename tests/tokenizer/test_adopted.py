"""An adopted tokenizer cuts texts as the SentencePiece model does, and has our ids."""

import pytest
import sentencepiece

from s2scli.errors import TokenizerError
from s2scli.special_ids import BOS_ID, UNK_ID
from s2scli.tokenizer.adopted import Vocabulary, adopt, pieces_of
from tests.export.foreign_models import TEXTS, Side, make_side, make_spm, own_pieces

ODD = ("ﬁne Ｈｏｕｓｅ", "  two   spaces ", "unseen: xyz", "")


def vocabulary_of(side: Side) -> Vocabulary:
    last = len(side.pieces) - 1
    return Vocabulary(side.pieces, last, 1, last, 0)


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char", "word"])
def test_texts_have_the_same_pieces_and_rows(kind: str) -> None:
    side = make_side(("</s>", "<unk>"), (">>de<<", "<pad>"), kind)
    adopted = adopt(side.spm, vocabulary_of(side), writes=False)
    for text in TEXTS + ODD[: 3 if kind != "char" else 0]:
        ids = adopted.tokenizer.encode(text)
        assert [adopted.rows[id] for id in ids] == side.encode(text, unknown=1)
    assert adopted.tokenizer.kind == kind
    assert BOS_ID in adopted.unwritten


def test_a_token_that_begins_and_ends_outputs_counts_once() -> None:
    side = make_side(("</s>", "<unk>", "<s>"), ("<pad>",))
    last = len(side.pieces) - 1
    for start, counts in ((0, True), (1, True), (last, True), (2, False)):
        adopted = adopt(side.spm, Vocabulary(side.pieces, last, 1, start, 0), writes=True)
        assert (BOS_ID in adopted.unwritten) is counts


def test_decoding_is_that_of_the_model() -> None:
    side = make_side(("</s>", "<unk>"), ("<pad>",), left_out=0)
    program = sentencepiece.SentencePieceProcessor(model_proto=side.spm)
    tokenizer = adopt(side.spm, vocabulary_of(side), writes=True).tokenizer
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text)) == program.decode(program.encode(text))


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_target_has_no_pieces_that_cannot_be_written(kind: str) -> None:
    side = make_side(("</s>", "<unk>"), ("<pad>",), kind, left_out=6)
    adopted = adopt(side.spm, vocabulary_of(side), writes=True)
    for text in TEXTS:
        assert not set(adopted.tokenizer.encode(text)) & set(adopted.unwritten)


def test_a_language_token_is_read_at_the_beginning() -> None:
    side = make_side(("</s>", "<unk>"), (">>de<<", "<pad>"))
    adopted = adopt(side.spm, vocabulary_of(side), writes=False)
    first, *others = adopted.tokenizer.encode(f">>de<< {TEXTS[0]}")
    assert adopted.rows[first] == side.pieces.index(">>de<<")
    assert others == adopted.tokenizer.encode(TEXTS[0])


@pytest.mark.parametrize("writes", [False, True])
def test_bytes_that_the_vocabulary_lacks_are_kept(writes: bool) -> None:
    spm = make_spm("bpe", size=300, byte_fallback=True)
    known = {f"<0x{byte:02X}>" for byte in "é".encode()}
    kept = [piece for piece in own_pieces(spm) if not piece.startswith("<0x") or piece in known]
    side = Side(spm, ("</s>", "<unk>", *kept, "<pad>"))
    adopted = adopt(spm, vocabulary_of(side), writes=writes)
    for text, is_known in (("the é", True), ("the ü", False)):
        ids = adopted.tokenizer.encode(text)
        assert adopted.tokenizer.decode(ids) == text
        assert set(ids).isdisjoint(adopted.unwritten) == is_known


def test_special_names_of_the_vocabulary_do_not_collide_with_ours() -> None:
    side = make_side(("</s>", "<unk>", "<s>"), ("<pad>",))
    adopted = adopt(side.spm, vocabulary_of(side), writes=True)
    assert adopted.tokenizer.piece(BOS_ID) == "<s>"
    assert adopted.tokenizer.vocabulary.count("<s>") == 1
    assert "<s>#2" in adopted.tokenizer.vocabulary
    assert adopted.tokenizer.piece(UNK_ID) == "<unk>"


@pytest.mark.parametrize(
    ("pieces", "ids", "message"),
    [
        (("a", "b"), (2, 0, 0, 0), "the pad token has id 2, and there are 2 pieces"),
        (("a", "b"), (0, -1, 0, 0), "the unk token has id -1"),
        (("a", "b"), (0, 0, 9, 0), "the start token has id 9"),
        (("a", "b"), (0, 0, 0, 9), "the end token has id 9"),
        (("a", "a"), (0, 0, 0, 0), "a piece appears twice"),
    ],
)
def test_a_vocabulary_that_is_not_one_is_refused(
    pieces: tuple[str, ...], ids: tuple[int, int, int, int], message: str
) -> None:
    with pytest.raises(TokenizerError, match=message):
        Vocabulary(pieces, *ids)


def test_a_vocabulary_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2scli.tokenizer.adopted.MAX_VOCAB_SIZE", 1)
    with pytest.raises(TokenizerError, match="2 pieces are too many"):
        Vocabulary(("a", "b"), 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"\xff", "damaged"),
        (b"\x0a\x7f\x00", "damaged"),
        (b"\x0a\x00", "damaged"),
        (b"\x0b", "damaged"),
        (b"\x0a\x03\x0a\x01\xff", "a piece is not UTF-8"),
        (b"\x12\x02\x18\x09", "unknown kind of SentencePiece model"),
    ],
)
def test_a_damaged_model_is_refused(model: bytes, message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        adopt(model, Vocabulary(("a", "b", "c"), 0, 1, 0, 2), writes=False)


def test_cut_models_never_crash() -> None:
    spm, vocabulary = make_spm("unigram"), Vocabulary(("a", "b", "c"), 0, 1, 0, 2)
    for size in range(0, 600, 29):
        try:
            adopt(spm[:size], vocabulary, writes=False)
        except TokenizerError as error:
            assert "\n" not in str(error)


def test_pieces_are_in_the_order_of_their_ids() -> None:
    spm = make_spm("bpe")
    program = sentencepiece.SentencePieceProcessor(model_proto=spm)
    assert pieces_of(spm) == [program.id_to_piece(id) for id in range(program.vocab_size())]
