"""How a model writes what is demanded, by tokenizers of every kind."""

import pytest

from s2scli.data.codecs.text import TextCodec
from s2scli.data.stream import Line
from s2scli.errors import CorpusError, UsageError
from s2scli.search.rules import Demand
from s2scli.tokenizer.settings import Kind
from s2scli.translation.constraints import Constraints, Speller, digest_of, speller_of
from s2scli.translation.glossary import Glossary
from s2scli.translation.lines import Plan, plan_line
from tests.tokenizer.samples import learn
from tests.translation.stub import WordCodec

LINES = [
    "the dog sees 3 cats and 15 birds",
    "a cat (the old one) has 2 dogs X Y Z",
    "Hund Katze und 3 Vögel haben 7 8 9 0 4 5 6 1",
    "der Hund sieht die Katze X Y Z",
]
KINDS: list[Kind] = ["bpe", "unigram", "char", "word"]
TERMS = Glossary({"dog": "Hund", "cat": "Katze"}, "terms.tsv", {"dog": 1, "cat": 2})


def speller(kind: Kind, constraints: Constraints) -> Speller:
    codec = TextCodec(learn(kind, LINES * 5))
    found = speller_of(codec, codec, constraints)
    assert found is not None
    return found


def plan(own: Speller, text: str) -> Plan:
    asked = own.read(text)
    line = Line("f", 1, text)
    return own.demanded(plan_line(line, own.source, 99, "split", None, asked.protected.text), asked)


def written(own: Speller, ids: tuple[int, ...]) -> str:
    return b"".join(own.spelling.texts[id] for id in ids).decode()


@pytest.mark.parametrize("kind", KINDS)
def test_terms_and_numbers_become_phrases_in_each_spelling(kind: Kind) -> None:
    own = speller(kind, Constraints(glossary=TERMS, protect=True))
    own.check()
    (part,) = plan(own, "the dog sees 3 dog").parts
    phrases = {written(own, one.spellings[0]): one for one in part.demand.phrases}
    assert {text: one.times for text, one in phrases.items()} == {" Hund": 2, " 3": 1}
    for one in phrases.values():
        texts = [written(own, ids) for ids in one.spellings]
        assert texts == [texts[0], texts[0].strip()][: len(texts)]
        assert len(texts) == (1 if kind == "word" else 2)


def test_a_stand_in_is_demanded_once_and_the_original_comes_back() -> None:
    own = speller("char", Constraints(protect=True))
    found = plan(own, "the dog a@b.org")
    (part,) = found.parts
    assert part.text == "the dog X" and found.source == "the dog a@b.org"
    (phrase,) = part.demand.phrases
    assert phrase.exact and written(own, phrase.spellings[0]) == " X"
    assert found.protected and found.protected.restore("X Hund") == "a@b.org Hund"


@pytest.mark.parametrize("kind", KINDS)
def test_the_prefix_is_for_the_first_part(kind: Kind) -> None:
    own = speller(kind, Constraints(prefix=True))
    (part,) = plan(own, "the dog\tder Hund").parts
    assert written(own, part.demand.prefix).strip() == "der Hund"
    (part,) = plan(own, "the dog\t").parts
    assert part.demand == Demand()
    assert plan(own, "the dog\t").source == "the dog"
    for blank in ("", " ", "\u200b"):
        assert not plan(own, blank).fault and not plan(own, blank).parts
    for text, fault in (
        ("the dog", "no TAB, expected source TAB prefix"),
        ("the dog\tder §", "the model cannot write the prefix"),
    ):
        assert plan(own, text).fault == fault and not plan(own, text).parts


def test_what_a_model_cannot_write_is_refused() -> None:
    unknown = Glossary({"dog": "Hündin§"}, "terms.tsv", {"dog": 4})
    with pytest.raises(CorpusError, match=r"terms.tsv, line 4: the model cannot write 'Hündin§'"):
        speller("char", Constraints(glossary=unknown)).check()
    with pytest.raises(CorpusError, match="line 1: 'Hund' holds the banned word 'Hund'"):
        speller("char", Constraints(glossary=TERMS, banned=("Hund",))).check()
    longer = Glossary({"dog": "Hunde"}, "terms.tsv", {"dog": 1})
    speller("char", Constraints(glossary=longer, banned=("Hund",))).check()
    words = TextCodec(learn("word", ["the dog sees", "big cat"]))
    few = speller_of(words, words, Constraints(protect=True))
    assert few is not None
    assert few.read("the a@b.org").protected.stand_ins[0].word in {"dog", "sees", "big", "cat"}
    assert "no word that the model knows" in few.read("the a@b.org " * 5).fault
    digits = speller("char", Constraints(protect=True)).read("see a@b.org" + " X Y Z")
    assert digits.protected.stand_ins[0].word not in "XYZ"


def test_only_models_from_text_to_text_from_left_to_right_have_constraints() -> None:
    codec = TextCodec(learn("char", LINES))
    assert speller_of(WordCodec(), codec, Constraints()) is None
    with pytest.raises(UsageError, match="--protect is for models from text to text"):
        speller_of(WordCodec(), codec, Constraints(protect=True))
    from dataclasses import replace

    backwards = TextCodec(replace(codec.tokenizer, reverse=True))
    with pytest.raises(UsageError, match="--ban needs a model that writes from left to right"):
        speller_of(codec, backwards, Constraints(banned=("a",)))


def test_outputs_depend_on_all_constraints() -> None:
    some = [
        Constraints(),
        Constraints(prefix=True),
        Constraints(glossary=TERMS),
        Constraints(banned=("a",)),
        Constraints(banned=("b",)),
    ]
    trees = [one.tree() for one in some]
    assert trees[0] == {} and len({digest_of([tree]) for tree in trees}) == len(some)
