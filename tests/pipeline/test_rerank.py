"""Reranking with stubs; `tests/cli/test_rerank.py` has real models."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from s2scli.errors import UsageError
from s2scli.pipeline.rerank import (
    WORST,
    RerankRequest,
    Scorer,
    _rank,
    best_text,
    json_text,
    moses_lines,
    rerank,
)
from s2scli.report.console import Talk
from s2scli.search.settings import RerankSettings
from s2scli.translation.nbest import Choices, Listed, listed
from tests.translation.stub import stub_translator

LIST = "0 ||| a ||| -1\n0 ||| A ||| -2\n2 ||| b ||| -1\n"


def request_of(folder: Path, weights: Sequence[float], n_best: int = 1) -> RerankRequest:
    (folder / "list").write_text(LIST, encoding="utf-8")
    (folder / "sources").write_text("a\n\nb\n", encoding="utf-8")
    settings = RerankSettings(n_best=n_best, length_penalty=0.0)
    shape = moses_lines if n_best > 1 else best_text
    paths = (folder / "list", folder / "sources", folder / "out")
    return RerankRequest(*paths, weights, settings, shape)


def test_a_model_that_shouts_prefers_capitals(tmp_path: Path) -> None:
    scorer = Scorer(stub_translator())
    assert rerank([scorer], request_of(tmp_path, (0.0, 1.0)), Talk()) == 0
    assert (tmp_path / "out").read_text() == "A\n\nb\n"
    rerank([scorer], request_of(tmp_path, (9.0, 1.0), n_best=2), Talk())
    rows = [line.split(" ||| ") for line in (tmp_path / "out").read_text().splitlines()]
    assert [row[1] for row in rows] == ["a", "A", "", "b"][: len(rows)]


def test_a_reverse_model_reads_the_hypothesis(tmp_path: Path) -> None:
    scorer = Scorer(stub_translator(), backward=True)
    forward, backward = (
        Scorer(stub_translator(), back).score([(Choices(0, "A", ()), "a")], 0.0)[0]
        for back in (False, True)
    )
    assert forward is not None and backward is not None and backward > forward
    assert scorer.score([(Choices(0, "a", ()), " ")], 0.0) == [None]  # nothing to read


def test_a_tag_is_for_models_that_read_it(tmp_path: Path) -> None:
    asked = replace(request_of(tmp_path, (1.0, 1.0)), tag="de")
    with pytest.raises(UsageError, match="--tag de: unknown to the model"):
        rerank([Scorer(stub_translator())], asked, Talk())
    with pytest.raises(UsageError, match="--tag has no effect without --model"):
        rerank([Scorer(stub_translator(), backward=True)], asked, Talk())
    assert not (tmp_path / "out").exists()


def test_each_score_has_its_weight(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 times --weight: expected 2"):
        rerank([Scorer(stub_translator())], request_of(tmp_path, (1.0, 1.0, 1.0)), Talk())
    assert not (tmp_path / "out").exists() and WORST < -1e6


@pytest.mark.parametrize("weight", [0.5, 0.0, -0.5])
def test_what_a_model_cannot_score_is_behind_all_others_whatever_its_weight(
    tmp_path: Path, weight: float
) -> None:
    own = Choices(0, "a", (Listed(0, "fails", 5.0), Listed(0, "A", -1.0)))
    scorer = SimpleNamespace(score=lambda pairs, penalty: [None, -2.0])
    request = request_of(tmp_path, (1.0, weight))
    ((_, ranked),) = _rank([own], [cast(Scorer, scorer)], request)
    assert [one.text for one in ranked] == ["A", "fails"]


def test_a_source_without_hypotheses_has_a_line() -> None:
    nothing = Choices(4, "a", ())
    assert best_text(nothing, []) == ""
    line = moses_lines(nothing, [])
    assert line == "4 |||  |||  ||| 0.0000" and listed(line).text == ""
    assert '"hypotheses": []' in json_text(nothing, [])
