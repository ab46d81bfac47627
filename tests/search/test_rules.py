from s2scli.search.banned import BannedWords
from s2scli.search.rules import NO_DEMAND, NO_RULES, Demand, Phrase, Rules
from tests.search.exhaustive import SPELLING

TWICE = Demand((4,), (Phrase(((5, 6), (6,)), times=2), Phrase(((7,),))))


def test_rules_are_rules_only_if_something_is_demanded_or_forbidden() -> None:
    assert not NO_RULES and not Rules([NO_DEMAND, NO_DEMAND])
    assert Rules([NO_DEMAND, TWICE]) and Rules((), BannedWords((b"a",), SPELLING))


def test_the_rules_of_some_sources_have_their_demands_with_or_without_phrases() -> None:
    rules = Rules([NO_DEMAND, TWICE, Demand((5,))], None, SPELLING)
    assert list(rules.of([2, 1], phrases=True).demands) == [Demand((5,)), TWICE]
    assert list(rules.of([1, 0]).demands) == [Demand((4,)), NO_DEMAND]
    assert not rules.of([0]).demands and not NO_RULES.of([0, 1]).demands


def test_the_tokens_of_all_phrases_count() -> None:
    assert TWICE.phrase_tokens == 5 and NO_DEMAND.phrase_tokens == 0
