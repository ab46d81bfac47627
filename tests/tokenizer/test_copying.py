"""What can be copied: the same pieces on both sides, and unknown ones by their spelling."""

import numpy as np
import pytest

from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.tokenizer.copying import Copier
from s2scli.tokenizer.learning import learn_sentencepiece
from s2scli.tokenizer.plan import TokenizerPlan
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.settings import Kind


def learned(kind: Kind, *texts: str) -> SentencePiece:
    plan = TokenizerPlan(kind, 40, False, 1.0, False)
    return learn_sentencepiece(lambda: texts * 9, plan, "none")


LETTERS = Copier(learned("char", "abc d"), learned("char", "abx"))
WORDS = Copier(learned("word", "a cat sat"), learned("word", "a cat"))


def test_a_run_of_unknown_pieces_is_taken_apart() -> None:
    assert LETTERS.source_pieces("a黜陟b 黜") == ["a", "黜", "陟", "b", "▁", "黜"]
    assert WORDS.source_pieces("a big red cat") == ["▁a", "▁big", "▁red", "▁cat"]
    (plain,) = LETTERS.source.encode_many(["a黜陟b"])
    assert plain.count(UNK_ID) == 1, "as a model that does not copy reads it"


@pytest.mark.parametrize("copier", [LETTERS, WORDS], ids=["char", "word"])
def test_pieces_that_are_apart_cover_the_text_in_turn(copier: Copier) -> None:
    for text in ("a黜陟b 黜", "a big red cat", "a黜", "黜", "a"):
        characters, spans = copier.source.spans(text, apart=True)
        covered = [characters[start:end] for start, end in spans]
        assert covered == [piece.replace("▁", "") for piece in copier.source_pieces(text)]
        assert copier.surfaces(text) == [
            piece.replace("▁", " ") for piece in copier.source_pieces(text)
        ]


def test_what_a_model_writes_and_what_a_target_holds_are_the_same() -> None:
    source, target = "cd黜陟黜", "a黜dx"
    (values,) = LETTERS.encode_sources([source])
    (ids,) = LETTERS.encode_targets([target], [source])
    read = np.array(values, np.int32)
    written = LETTERS.write(ids, read)
    assert [id - LETTERS.target.vocab_size for id in written if id not in ids] == [2, 1]
    assert LETTERS.unwrite(written, read) == ids


def test_every_unknown_piece_has_an_id_of_its_own() -> None:
    size = LETTERS.source.vocab_size
    known, rows = LETTERS.source.encode("ab"), LETTERS.encode_sources(["a黜陟b黜", "ab"])
    assert rows == [[known[0], size, size + 1, known[1], size], known]


def test_a_target_names_what_only_its_source_knows() -> None:
    source = "cd黜陟"
    (ids,) = LETTERS.encode_sources([source])
    (target,) = LETTERS.encode_targets(["a黜c黎"], [source])
    (a,) = LETTERS.target.encode("a")
    assert target == [a, -1 - ids[2], -1 - ids[0], UNK_ID], "c is unknown to the target only"


def test_copies_have_target_ids_or_point_to_the_first_of_their_kind() -> None:
    (ids,) = LETTERS.encode_sources(["ac黜ac黜"])
    size = LETTERS.target.vocab_size
    (a,) = LETTERS.target.encode("a")
    expected = [a, size + 1, size + 2, a, size + 1, size + 2, EOS_ID]
    assert LETTERS.copies(np.array(ids, np.int32)).tolist() == expected


def test_special_pieces_stay_what_they_are() -> None:
    assert LETTERS.target_ids[: EOS_ID + 1].tolist() == list(range(EOS_ID + 1))
    masked = LETTERS.copies(np.array([UNK_ID], np.int32))
    assert masked.tolist() == [UNK_ID, EOS_ID], "noise hides a token, also from copying"


@pytest.mark.parametrize("copier", [LETTERS, WORDS], ids=["char", "word"])
def test_pieces_are_joined_to_the_text(copier: Copier) -> None:
    for text in ("a cat", "a 黜陟 cat黜", "<unk> a▁b", "a\tb"):
        spelled = [piece for _, piece in copier.target.spelled(text)]
        assert copier.target.join(spelled) == copier.target.canonical(text)
