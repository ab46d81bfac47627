"""The codecs of a model that copies: ids and copies in, pieces of the source out."""

import numpy as np

from s2scli.data.batch import make_batch
from s2scli.data.codecs import source_codec, target_codec
from s2scli.data.codecs.copying import CopyingSource, CopyingTarget
from s2scli.special_ids import EOS_ID, PAD_ID, UNK_ID
from s2scli.tokenizer.copying import Copier
from tests.folders import letters_of

TOKENIZERS = letters_of(["abc def"] * 9)
COPIER = Copier(*TOKENIZERS.texts)
SOURCE, TARGET = source_codec(COPIER.source, COPIER), target_codec(COPIER.target, COPIER)
SIZE = COPIER.target.vocab_size


def test_a_source_is_padded_with_the_ids_of_its_copies() -> None:
    assert isinstance(SOURCE, CopyingSource) and isinstance(TARGET, CopyingTarget)
    one, two = SOURCE.encode("a黜"), SOURCE.encode("a")
    padded, lengths = SOURCE.pad([one, two])
    (a,) = COPIER.source.encode("a")
    assert padded[..., 0].tolist() == [[a, SIZE, EOS_ID], [a, EOS_ID, PAD_ID]]
    assert padded[..., 1].tolist() == [[a, SIZE + 1, EOS_ID], [a, EOS_ID, PAD_ID]]
    assert lengths.tolist() == [3, 2]


def test_a_target_comes_back_with_what_it_copies() -> None:
    source, target = "ab黜 陟", "陟a黜"
    batch = make_batch([SOURCE.encode(source)], [TARGET.encode(target, source)], SOURCE.pad)
    written = batch.target_output[0].tolist()
    (a,) = COPIER.target.encode("a")
    assert written == [SIZE + 4, a, SIZE + 2, EOS_ID]
    pieces = SOURCE.labels(SOURCE.encode(source), 6, source)
    assert pieces == ("a", "b", "黜", "▁", "陟", "</s>")
    assert TARGET.decode(written, pieces) == target
    assert TARGET.pieces(written, pieces) == ("陟", "a", "黜", "</s>")


def test_what_the_source_lacks_is_unknown() -> None:
    assert TARGET.encode("黎", "a").tolist() == [UNK_ID]
    assert TARGET.decode([UNK_ID, EOS_ID]) == "⁇"
    assert SOURCE.unknown(SOURCE.encode("a黜黎")) == 2


def test_what_noise_removed_from_a_source_is_unknown_in_its_target() -> None:
    target = TARGET.encode("黜", "a黜")
    batch = make_batch([np.array([UNK_ID], np.int32)], [target], SOURCE.pad)
    assert batch.target_output.tolist() == [[UNK_ID, EOS_ID]]
