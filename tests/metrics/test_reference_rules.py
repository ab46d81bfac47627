from s2scli.metrics.reference_rules import CLOSEST, best_references, closest_rule
from s2scli.metrics.settings import MetricSettings

SETTINGS = MetricSettings()


def test_the_closest_reference_has_the_fewest_edits_of_words() -> None:
    assert closest_rule(SETTINGS) is CLOSEST
    found = CLOSEST.choose(["a b c", "x"], [("c b a", "a b", "a b d"), ("y",)], SETTINGS)
    assert found == ["a b", "y"]


def test_the_best_reference_has_the_highest_score_and_ties_go_to_the_first() -> None:
    def score(hypothesis: str, reference: str) -> float:
        return len(set(hypothesis) & set(reference))

    assert best_references(["abc", "x"], [("a", "cb", "ab"), ("y", "z")], score) == ["cb", "y"]


def test_a_single_reference_is_not_scored() -> None:
    def score(hypothesis: str, reference: str) -> float:
        raise AssertionError

    assert best_references(["a"], [("b",)], score) == ["b"]
