import functools
import io
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from s2scli.errors import CheckpointError, TokenizerError
from s2scli.normalization import Normalization
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from s2scli.tokenizer.sentencepiece import (
    MAX_MODEL_BYTES,
    SentencePiece,
    load_sentencepiece,
)
from s2scli.tokenizer.settings import Kind
from tests.tokenizer.samples import KINDS, LINES, SUBWORDS, learn

LOOKALIKES = ["<s>", "</s>", "<unk>", "<pad>", "▁", "▅", "<0x41>", "a▁b", "@@ ", "&lt;s&gt;", "␛e"]
SPECIAL_IDS = {PAD_ID, UNK_ID, BOS_ID, EOS_ID}

with_bytes = functools.cache(functools.partial(learn, byte_fallback=True, vocab_size=600))


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text())
@settings(max_examples=60, derandomize=True)
@example(text="  two  spaces  ")
@example(text="a\nb\x00c\x1b[31m")
@example(text="\ufeff\ufffe\U0010ffff\u2028")
def test_any_text_comes_back_with_byte_fallback(kind: Kind, text: str) -> None:
    tokenizer = with_bytes(kind)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == tokenizer.canonical(text)
    assert not SPECIAL_IDS & set(ids)


@pytest.mark.parametrize("text", [*LOOKALIKES, " ".join(LOOKALIKES)])
@pytest.mark.parametrize("kind", KINDS)
def test_lookalikes_are_text(kind: Kind, text: str) -> None:
    learned_with_them = learn(kind, [*LINES, *LOOKALIKES, " ".join(LOOKALIKES)])
    ids = learned_with_them.encode(text)
    assert not SPECIAL_IDS & set(ids)
    assert learned_with_them.decode(ids) == learned_with_them.canonical(text)


@pytest.mark.parametrize("name", ["special_token_lookalikes.tsv", "emoji_zwj.tsv"])
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_rows_come_back(kind: Kind, name: str, data_folder: Path) -> None:
    rows = (data_folder / "hostile" / name).read_bytes().decode().split("\n")[:-1]
    texts = [side for row in rows for side in row.split("\t")]
    tokenizer = learn(kind, texts, vocab_size=3000)
    assert [tokenizer.decode(ids) for ids in tokenizer.encode_many(texts)] == texts


def test_spaces_stay_except_around_the_text() -> None:
    tokenizer = learn()
    assert tokenizer.decode(tokenizer.encode("  the  cat ")) == "the  cat"


def test_words_are_joined_by_one_space() -> None:
    tokenizer = learn("word", ["HH AH0 L OW1", "W ER1 L D"])
    assert tokenizer.decode(tokenizer.encode(" HH  AH0\tL OW1")) == "HH AH0 L OW1"
    assert len(tokenizer.encode("HH AH0 L OW1")) == 4


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [("bpe", "the猫", "the⁇"), ("char", "the猫", "the⁇"), ("word", "cat 猫 sat", "cat ⁇ sat")],
)
def test_the_unknown_is_shown(kind: Kind, text: str, shown: str) -> None:
    tokenizer = learn(kind)
    assert UNK_ID in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == shown


@pytest.mark.parametrize(("normalization", "form"), [("nfc", "NFC"), ("nfkc", "NFKC")])
def test_normalization_is_applied_on_encoding(normalization: Normalization, form: str) -> None:
    text = "ﬁance\u0301e"
    lines = [unicodedata.normalize(form, text)] * 5  # type: ignore[arg-type]
    tokenizer = learn("char", lines, normalization)
    assert tokenizer.decode(tokenizer.encode(text)) == lines[0]
    assert tokenizer.encode(text) == tokenizer.encode(lines[0])


def test_sentencepiece_normalizes_nothing() -> None:
    text = "ﬁ e\u0301 é ｗｉｄｅ \u3000 x\u00a0y \u200b"
    tokenizer = learn("char", [text])
    assert tokenizer.decode(tokenizer.encode(text)) == text.strip(" ")


@pytest.mark.parametrize("kind", KINDS)
def test_many_are_encoded_as_one_by_one(kind: Kind) -> None:
    texts = [*LINES[:3], "", "xyz"]
    tokenizer = learn(kind)
    assert tokenizer.encode_many(texts) == [tokenizer.encode(text) for text in texts]


def test_pieces_spell_the_ids() -> None:
    tokenizer = learn()
    text = "the cat\tsat"
    assert tokenizer.pieces(text) == [tokenizer.piece(id) for id in tokenizer.encode(text)]
    assert tokenizer.pieces("the cat")[0].startswith("▁")
    assert [tokenizer.piece(id) for id in range(4)] == ["<pad>", "<unk>", "<s>", "</s>"]


def test_special_ids_decode_to_nothing() -> None:
    tokenizer = learn()
    ids = tokenizer.encode("the cat")
    assert tokenizer.decode([BOS_ID, *ids, EOS_ID, PAD_ID]) == "the cat"
    assert tokenizer.decode([]) == "" == tokenizer.decode([PAD_ID, BOS_ID, EOS_ID])


@pytest.mark.parametrize("kind", SUBWORDS)
def test_digits_are_split(kind: Kind) -> None:
    assert [p for p in learn(kind).pieces("2026") if p != "▁"] == ["2", "0", "2", "6"]


def test_the_digest_stands_for_model_kind_and_normalization() -> None:
    model = learn().model
    tokenizers = [
        learn(),
        SentencePiece(model, "unigram", "none"),
        SentencePiece(model, "bpe", "nfc"),
        learn(lines=["other text"]),
    ]
    assert len({tokenizer.digest for tokenizer in tokenizers}) == 4
    assert SentencePiece(model, "bpe", "none").digest == tokenizers[0].digest


@pytest.mark.parametrize(
    "damage",
    [lambda m: b"", lambda m: b"junk" * 99, lambda m: m[: len(m) // 2], lambda m: m + b"\xff" * 9],
)
def test_a_damaged_model_is_refused(damage: functools.partial[bytes], tmp_path: Path) -> None:
    path = tmp_path / "source.model"
    path.write_bytes(damage(learn().model))
    with pytest.raises(TokenizerError, match=r"source.model: damaged, not a SentencePiece model"):
        load_sentencepiece(path, "bpe", "none")


def test_a_model_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "source.model"
    with path.open("wb") as file:
        file.truncate(MAX_MODEL_BYTES + 1)
    with pytest.raises(CheckpointError, match="64000001 bytes is too large"):
        load_sentencepiece(path, "bpe", "none")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"joint.model: missing"):
        load_sentencepiece(tmp_path / "joint.model", "bpe", "none")


def foreign_model(lines: list[str], kind: Kind = "bpe", **options: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type=kind,
        vocab_size=100,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        minloglevel=2,
        **options,
    )
    return model.getvalue()


def test_other_special_ids_are_refused() -> None:
    with pytest.raises(TokenizerError, match=r"expected the ids .0, 1, 2, 3."):
        SentencePiece(foreign_model(LINES), "bpe", "none")


@pytest.mark.parametrize("control", ["\n", "\x1b"])
def test_pieces_with_control_characters_are_refused(control: str) -> None:
    model = foreign_model([f"a{control}b"] * 9, pad_id=0, unk_id=1, bos_id=2, eos_id=3)
    with pytest.raises(TokenizerError, match=r"piece \d+ holds a control character"):
        SentencePiece(model, "bpe", "none")


def test_too_many_pieces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = learn().model
    monkeypatch.setattr("s2scli.tokenizer.sentencepiece.MAX_VOCAB_SIZE", 10)
    with pytest.raises(TokenizerError, match="pieces are too many"):
        SentencePiece(model, "bpe", "none")


REPEATED = ["the cat sat on the mat"] * 50
HAN = ["我们今天去公园", "今天天气很好", "我们很好", "公园里有猫和狗", "猫 和 狗"] * 20
VARIED = [
    *LINES[:3],
    "  two  spaces ",
    "thethethe mat on sat",
    "cat 猫 <s> \u2581\t 12",
    "",
    "今天我们去公园里",
]


@pytest.mark.parametrize("kind", SUBWORDS)
def test_resegmenting_keeps_the_text_and_the_alphabet(kind: Kind) -> None:
    tokenizer = with_bytes(kind)
    rows = tokenizer.encode_many(VARIED)
    new = tokenizer.resegmenter(0.3)(rows, 3)
    assert [tokenizer.decode(ids) for ids in new] == [tokenizer.canonical(text) for text in VARIED]
    assert not SPECIAL_IDS & {id for ids in new for id in ids}
    assert new != rows


@pytest.mark.parametrize("lines", [LINES, HAN, [*LINES, *HAN, *LOOKALIKES]])
@pytest.mark.parametrize("byte_fallback", [False, True])
def test_at_its_limits_resegmenting_is_as_sentencepiece_encodes(
    lines: list[str], byte_fallback: bool
) -> None:
    texts = [*VARIED, *lines, *LOOKALIKES, "abc" * 100]
    limits: list[tuple[Kind, float, float]] = [("bpe", 1.0, 0.0), ("unigram", 0.0, 1e3)]
    for kind, most, least in limits:
        tokenizer = learn(kind, lines, byte_fallback=byte_fallback)
        rows = tokenizer.encode_many(texts)
        scattered = tokenizer.resegmenter(most)(rows, 1)
        assert tokenizer.resegmenter(least)(scattered, 1) == rows != scattered, kind


def test_bpe_without_merges_is_characters() -> None:
    tokenizer = learn()
    (row,) = tokenizer.resegmenter(1.0)(tokenizer.encode_many(["the cat"]), 1)
    assert [tokenizer.piece(id) for id in row] == list("▁the▁cat")


@pytest.mark.parametrize("kind", SUBWORDS)
def test_resegmenting_depends_on_the_seed_alone(kind: Kind) -> None:
    tokenizer = learn(kind)
    rows = tokenizer.encode_many(REPEATED)
    resegment = tokenizer.resegmenter(0.2)
    first, other = resegment(rows, 1), resegment(rows, 2)
    assert first != other
    resegment(rows[:7], 9)  # what was done before leaves no trace
    assert resegment(rows, 1) == learn(kind).resegmenter(0.2)(rows, 1) == first
    assert len({tuple(row) for row in first}) > 1, "rows of a batch differ among themselves"


def test_unigram_varies_less_the_larger_alpha_is() -> None:
    tokenizer = learn("unigram")
    rows = tokenizer.encode_many(REPEATED)
    kinds = [
        len({tuple(new) for new in tokenizer.resegmenter(alpha)(rows, 1)})
        for alpha in (0.05, 1.0, 100.0)
    ]
    assert kinds[0] > kinds[1] > kinds[2] == 1


@pytest.mark.parametrize("kind", SUBWORDS)
def test_an_unknown_id_stays_where_it_is(kind: Kind) -> None:
    tokenizer = learn(kind)
    rows = tokenizer.encode_many(["the cat 猫 sat on the mat"] * 20)
    new = tokenizer.resegmenter(0.3)(rows, 1)
    assert new != rows
    assert [tokenizer.decode(ids) for ids in new] == [tokenizer.decode(ids) for ids in rows]
    assert {ids.count(UNK_ID) for ids in new} == {1}
    assert tokenizer.resegmenter(0.3)([], 1) == []


@pytest.mark.parametrize("kind", SUBWORDS)
def test_resegmenting_keeps_the_text_of_symbols_that_users_defined(kind: Kind) -> None:
    ids = {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3}
    model = foreign_model(LINES, kind, user_defined_symbols=["[a]", "the cat"], **ids)
    tokenizer = SentencePiece(model, kind, "none")
    rows = tokenizer.encode_many(["[a] sat on the cat[a]", "the cat[a]"])
    for alpha in (0.0, 0.3, 1.0):
        new = tokenizer.resegmenter(alpha)(rows, 1)
        assert [tokenizer.decode(ids) for ids in new] == [tokenizer.decode(ids) for ids in rows]


@pytest.mark.parametrize("kind", ["char", "word"])
def test_the_other_kinds_know_one_way_to_cut(kind: Kind) -> None:
    tokenizer = learn(kind)
    rows = tokenizer.encode_many(LINES)
    assert tokenizer.resegmenter(0.5)(rows, 1) == rows


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text("ab é狗鱻.9 "))
@settings(max_examples=40, derandomize=True)
def test_spellings_write_the_text_and_surfaces_divide_it(kind: Kind, text: str) -> None:
    tokenizer = with_bytes(kind)
    ids, canonical = tokenizer.encode(text), tokenizer.canonical(text)
    written = b"".join(tokenizer.spellings[id] for id in ids)
    assert written.decode().replace("\u2581", " ").strip(" ") == canonical
    surfaces = tokenizer.surfaces(text)
    assert len(surfaces) == len(ids)
    assert "".join(surfaces).strip(" ") == canonical


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_spelled_inside_another(kind: Kind) -> None:
    tokenizer = learn(kind)
    word = LINES[0].split()[0]
    spaced = tokenizer.spell(word, spaced=True)
    assert spaced and b"".join(tokenizer.spellings[id] for id in spaced) == f" {word}".encode()
    bare = tokenizer.spell(word, spaced=False)
    if kind == "word":
        assert bare is None  # a piece is a whole word
    else:
        assert bare and b"".join(tokenizer.spellings[id] for id in bare) == word.encode()
    assert tokenizer.spell("\u9c7b", spaced=True) is None


@pytest.mark.parametrize("kind", KINDS)
def test_some_tokens_are_replaced_by_other_texts(kind: Kind) -> None:
    tokenizer = learn(kind)
    text = " ".join(LINES[0].split()[:2]) + " \u9c7b"
    ids = tokenizer.encode(text)
    assert ids.count(UNK_ID) == 1 and tokenizer.decode_with(ids, {}) == tokenizer.decode(ids)
    other = " x" if kind == "word" else "x"
    replaced = tokenizer.decode_with(ids, {ids.index(UNK_ID): other})
    assert replaced == text.replace("\u9c7b", "x")


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_from_the_right_has_the_same_texts(kind: Kind) -> None:
    tokenizer = learn(kind)
    backwards = replace(tokenizer, reverse=True)
    for text in LINES[:3]:
        ids = backwards.encode(text)
        assert ids == tokenizer.encode(text)[::-1] and backwards.encode_many([text]) == [ids]
        assert backwards.decode(ids) == tokenizer.decode(ids[::-1])
    assert backwards.digest != tokenizer.digest
    for alpha in (0.0, 0.3):
        rows = [backwards.encode(text) for text in LINES[:3]]
        forwards = tokenizer.resegmenter(alpha)([row[::-1] for row in rows], 7)
        assert backwards.resegmenter(alpha)(rows, 7) == [row[::-1] for row in forwards]
