"""The alignment error rate, against its formula on single links."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.metrics.aer import aer, disagreement
from s2scli.metrics.links import GoldLinks, Links
from s2scli.metrics.settings import MetricSettings

LINKS = st.frozensets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8)
NO_BOOTSTRAP = MetricSettings(resamples=0)


def test_the_example_by_hand() -> None:
    """Two of three links are sure, one more is possible: 1 - (1 + 2) / (3 + 2)."""
    gold = GoldLinks(frozenset({(0, 0), (1, 1)}), frozenset({(0, 0), (1, 1), (1, 2)}))
    found = frozenset({(0, 0), (1, 2), (3, 3)})
    scores = aer([found], [gold], NO_BOOTSTRAP)
    assert scores.error_rate.value == pytest.approx(100 * (1 - (1 + 2) / (3 + 2)))
    assert scores.precision == pytest.approx(100 * 2 / 3)
    assert scores.recall == pytest.approx(100 * 1 / 2)


@given(st.lists(st.tuples(LINKS, LINKS, LINKS), min_size=1, max_size=4))
def test_it_counts_over_all_pairs(pairs: list[tuple[Links, Links, Links]]) -> None:
    pairs.append((frozenset({(0, 0)}), frozenset({(0, 0)}), frozenset()))
    found = [links for links, _, _ in pairs]
    gold = [GoldLinks(sure, sure | more) for _, sure, more in pairs]
    a = [(n, link) for n, links in enumerate(found) for link in links]
    s = {(n, link) for n, one in enumerate(gold) for link in one.sure}
    p = {(n, link) for n, one in enumerate(gold) for link in one.possible}
    right = sum(link in s for link in a) + sum(link in p for link in a)
    scores = aer(found, gold, NO_BOOTSTRAP)
    assert scores.error_rate.value == pytest.approx(100 * (1 - right / (len(a) + len(s))))
    assert 0 <= scores.error_rate.value <= 100
    flipped = aer(found[::-1], gold[::-1], NO_BOOTSTRAP)
    assert flipped.error_rate.value == pytest.approx(scores.error_rate.value)


@given(st.lists(st.tuples(LINKS, LINKS), min_size=1, max_size=4))
def test_disagreement_is_the_error_rate_against_sure_links(
    pairs: list[tuple[Links, Links]],
) -> None:
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    assert disagreement(ours, theirs) == pytest.approx(disagreement(theirs, ours))
    if any(theirs):
        gold = [GoldLinks(links, links) for links in theirs]
        rate = aer(ours, gold, NO_BOOTSTRAP).error_rate.value
        assert disagreement(ours, theirs) == pytest.approx(rate)
    else:
        assert disagreement(ours, theirs) == 100


def test_an_interval_comes_with_resamples() -> None:
    gold = [GoldLinks(frozenset({(0, 0)}), frozenset({(0, 0)}))] * 5
    found: list[Links] = [frozenset({(0, 0)}), frozenset(), frozenset({(1, 1)})] * 2
    rate = aer(found[:5], gold, MetricSettings(resamples=40)).error_rate
    assert rate.interval and rate.interval[0] <= rate.value <= rate.interval[1]
    assert rate.signature == "links:words|gold:sure+possible|bs:40|seed:12345"


def test_pairs_without_links_are_no_errors_in_a_resample() -> None:
    none: Links = frozenset()
    gold = [GoldLinks(frozenset({(0, 0)}), frozenset({(0, 0)})), GoldLinks(none, none)]
    rate = aer([frozenset({(0, 0)}), none], gold, MetricSettings(resamples=100)).error_rate
    assert rate.value == 0.0 and rate.interval == (0.0, 0.0)
