"""All outputs of a tiny vocabulary with their scores, to compare a search with."""

import itertools
from collections.abc import Callable, Sequence

from s2scli.data.batch import make_batch
from s2scli.model.seq2seq import Seq2Seq
from s2scli.search.forced import force
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.settings import SearchSettings
from s2scli.search.spelling import Spelling
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID
from tests.models import MODELS, ids, make_model

VOCAB_SIZE, LONGEST = 8, 4
# pad, unk, begin, end; words may continue with "b" and "1"
SPELLING = Spelling((b"", b"\xe2\x81\x87", b"", b"", b" a", b"b", b" c", b"1"))
SOURCE = ids(4, 5)


def tiny_model(name: str = "gru-additive-after", seed: int = 0) -> Seq2Seq:
    """Return a small model in double precision, so that no two outputs have equal scores."""
    return make_model(MODELS[name], VOCAB_SIZE, seed).double()


def text_of(tokens: Sequence[int]) -> str:
    """Return what tokens write."""
    return b"".join(SPELLING.texts[token] for token in tokens).decode()


def all_outputs(model: Seq2Seq, penalty: float = 1.0, longest: int = LONGEST) -> list[Hypothesis]:
    """Return every output of at most `longest` tokens, best first."""
    never = (PAD_ID, BOS_ID, EOS_ID)
    words = [token for token in range(VOCAB_SIZE) if token not in never]
    bodies = [body for size in range(longest) for body in itertools.product(words, repeat=size)]
    found: list[Hypothesis] = []
    for start in range(0, len(bodies), 256):
        some = bodies[start : start + 256]
        batch = make_batch([SOURCE] * len(some), [ids(*body) for body in some])
        found += force(model, batch, penalty, attention=True)
    return sorted(found, key=lambda one: -one.score)


def best_where(
    outputs: Sequence[Hypothesis], allowed: Callable[[tuple[int, ...]], bool], count: int
) -> list[tuple[int, ...]]:
    """Return the `count` best outputs that are allowed, without their end tokens."""
    bodies = (one.token_ids[:-1] for one in outputs)
    return [*itertools.islice(filter(allowed, bodies), count)]


def would_end(model: Seq2Seq, body: Sequence[int]) -> list[bool]:
    """Return whether the end token is the most probable one at each token of an output."""
    output = model(make_batch([SOURCE], [ids(*body)]))
    return [token == EOS_ID for token in model.logits(output.hidden)[0].argmax(-1).tolist()]


def wide(**changed: object) -> SearchSettings:
    """Return the settings of a search that keeps everything."""
    plain = {"beam_size": 160, "n_best": 5, "max_length": LONGEST}
    return SearchSettings.model_validate({**plain, **changed})
